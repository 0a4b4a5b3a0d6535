import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';

import { api } from '../../api/client';
import { show } from '../../test/render';
import { StatusDialog } from './StatusDialog';

// happy-dom has no document.fonts, which a growing text field listens to.
beforeAll(() => void Object.defineProperty(document, 'fonts', { value: new EventTarget(), configurable: true }));
afterEach(() => vi.restoreAllMocks());

const finding = (id: string, status: 'open' | 'resolved' | 'closed') => ({ id, status, title: `Title ${id}`, resource: { kind: 'chat', id: 'c', url: '', name: 'Budget' } });

it('asks for a reason before it calls, and then sends it', async () => {
  const user = userEvent.setup();
  const patch = vi.spyOn(api, 'PATCH').mockResolvedValue({ data: { status: 'accepted_risk' } } as never);
  const closed = vi.fn();
  show(<StatusDialog findings={[finding('a', 'open')]} onClose={closed} />);
  await user.click(await screen.findByRole('radio', { name: 'Accepted risk' }));
  await user.click(screen.getByRole('button', { name: 'Change status' }));
  expect(await screen.findByText('Say why: this status needs a reason.')).toBeTruthy();
  expect(patch).not.toHaveBeenCalled();
  await user.type(screen.getByRole('textbox', { name: /Reason/ }), ' Known test data. ');
  await user.click(screen.getByRole('button', { name: 'Change status' }));
  await waitFor(() => expect(closed).toHaveBeenCalled());
  expect(patch.mock.calls[0]?.[1]).toMatchObject({ params: { path: { id: 'a' } }, body: { status: 'accepted_risk', reason: 'Known test data.' } });
});

it('tells what became of each of many', async () => {
  const user = userEvent.setup();
  vi.spyOn(api, 'POST').mockResolvedValue({
    data: { items: [{ id: 'a', changed: true }, { id: 'b', changed: false, code: 'OB-4009', message: 'It cannot change so.' }], next_cursor: '' },
  } as never);
  show(<StatusDialog findings={[finding('a', 'open'), finding('b', 'resolved')]} first="acknowledged" onClose={() => {}} />);
  expect(await screen.findByText('1 finding cannot change so and will stay as it is.')).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Change 2 findings' }));
  const result = await screen.findByRole('status', { name: 'Result' });
  expect(result.textContent).toContain('1 changed to acknowledged');
  expect(result.textContent).toContain('It cannot change so. (OB-4009)');
  expect(result.textContent).toContain('Title b');
});

it('keeps what was changed when a later call fails', async () => {
  const user = userEvent.setup();
  const many = Array.from({ length: 501 }, (_, i) => finding(`f${i}`, 'open'));
  vi.spyOn(api, 'POST')
    .mockResolvedValueOnce({ data: { items: many.slice(0, 500).map((f) => ({ id: f.id, changed: true })), next_cursor: '' } } as never)
    .mockRejectedValueOnce(new Error('gone'));
  show(<StatusDialog findings={many} first="acknowledged" onClose={() => {}} />);
  await user.click(await screen.findByRole('button', { name: 'Change 501 findings' }));
  const result = await screen.findByRole('status', { name: 'Result' });
  expect(result.textContent).toContain('500 changed to acknowledged');
  expect(result.textContent).toContain('1 not tried');
});

it('says that a person cannot change what a re-check closed', async () => {
  show(<StatusDialog findings={[finding('a', 'closed')]} onClose={() => {}} />);
  expect(await screen.findByText(/closed by a re-check/)).toBeTruthy();
});
