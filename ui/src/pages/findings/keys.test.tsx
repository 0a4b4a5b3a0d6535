import { fireEvent } from '@testing-library/react';
import { expect, it, vi } from 'vitest';

import { show } from '../../test/render';
import { useKeys } from './keys';

function Probe({ actions }: { actions: Parameters<typeof useKeys>[0] }) {
  useKeys(actions);
  return (
    <div>
      <button type="button">A button</button>
      <input type="search" aria-label="Field" />
      <div role="menu" tabIndex={-1} data-testid="menu" />
      <aside role="dialog" aria-modal="true" data-finding-drawer="" tabIndex={-1} data-testid="drawer" />
    </div>
  );
}

const probes = () => ({ move: vi.fn(), open: vi.fn(), close: vi.fn(() => true), leave: vi.fn(), select: vi.fn(), search: vi.fn(), acknowledge: vi.fn(), status: vi.fn() });

it('each key does its work, also in the drawer of a finding', () => {
  const a = probes();
  const { getByTestId } = show(<Probe actions={a} />);
  for (const key of ['j', 'k', 'Enter', 'x', '/', 'a', 's', 'Escape']) fireEvent.keyDown(getByTestId('drawer'), { key });
  expect(a.move.mock.calls).toEqual([[1], [-1]]);
  for (const f of [a.open, a.select, a.search, a.acknowledge, a.status, a.close]) expect(f).toHaveBeenCalledTimes(1);
});

it('no key fires in a field, in a menu, with Ctrl, or beside an open dialog', () => {
  const a = probes();
  const { getByLabelText, getByTestId, getByText } = show(<Probe actions={a} />);
  fireEvent.keyDown(getByLabelText('Field'), { key: 'j' });
  fireEvent.keyDown(getByTestId('menu'), { key: 'j' });
  fireEvent.keyDown(document.body, { key: 'j', ctrlKey: true });
  fireEvent.keyDown(getByText('A button'), { key: 'Enter' });
  const modal = document.createElement('div');
  modal.setAttribute('role', 'dialog');
  modal.setAttribute('aria-modal', 'true');
  document.body.append(modal);
  fireEvent.keyDown(document.body, { key: 'j' });
  modal.remove();
  expect(a.move).not.toHaveBeenCalled();
  expect(a.open).not.toHaveBeenCalled();
  fireEvent.keyDown(getByLabelText('Field'), { key: 'Escape' });
  expect(a.leave).toHaveBeenCalledTimes(1);
  expect(a.close).not.toHaveBeenCalled();
});
