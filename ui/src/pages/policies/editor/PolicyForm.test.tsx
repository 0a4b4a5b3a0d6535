import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { expect, it, vi } from 'vitest';

import { api, ProblemError } from '../../../api/client';
import { show } from '../../../test/render';
import { PolicyForm } from './PolicyForm';

const check = (ok: boolean) => ({
  ok,
  issues: ok ? [] : [{ line: 2, column: 3, message: 'test "a card" gave false, want true' }],
  tests: [{ name: 'a card', passed: ok, want: 'true', got: String(ok), error: '', line: 2, column: 3 }],
  id: 'custom.a', title: 'A', kind: 'content', severities: ['high'], cost: 12, cost_limit: 1000000,
});

function Harness({ saved, onSaved = () => {}, onReload }: { saved: string; onSaved?: () => void; onReload?: () => void }) {
  const [draft, setDraft] = useState({ text: saved, reason: '' });
  return <PolicyForm id="custom.a" seen={4} saved={saved} draft={draft} setDraft={setDraft} onSaved={onSaved} onReload={onReload} />;
}

/** answers lets a text that holds "red" fail its test. */
function answers() {
  return vi.spyOn(api, 'POST').mockImplementation((async (_path: string, init: { body: { yaml: string } }) => ({ data: check(!init.body.yaml.includes('red')) })) as never);
}

it('does not save while a test is red, and says which', async () => {
  const user = userEvent.setup();
  answers();
  const put = vi.spyOn(api, 'PUT').mockResolvedValue({ data: { title: 'A', version: 5 } } as never);
  const saved = vi.fn();
  show(<Harness saved="a" onSaved={saved} />);
  const area = screen.getByRole('textbox', { name: 'Policy (YAML)' });
  const save = screen.getByRole('button', { name: 'Save' }) as HTMLButtonElement;
  await screen.findByText('It can be saved');
  expect(save.disabled).toBe(true); // Nothing has changed.

  await user.type(area, '\n  red');
  expect(screen.getByTestId('verdict').textContent).toBe('Checking…');
  await screen.findByText('It cannot be saved yet');
  const test = within(screen.getByRole('list', { name: 'Tests' })).getByRole('button', { name: /a card/ });
  expect(test.textContent).toContain('expected true, got false');
  expect(save.disabled).toBe(true);
  await user.type(screen.getByRole('textbox', { name: 'Why' }), 'Because{Enter}');
  expect(put).not.toHaveBeenCalled();
  await user.click(test);
  expect(document.activeElement).toBe(area);
  expect((area as HTMLTextAreaElement).selectionStart).toBe(4);

  await user.type(area, '{Backspace}{Backspace}{Backspace}green');
  await screen.findByText('It can be saved');
  await waitFor(() => expect(save.disabled).toBe(false));
  await user.click(save);
  await waitFor(() => expect(saved).toHaveBeenCalled());
  expect(put.mock.calls[0]?.[1]).toMatchObject({ params: { path: { id: 'custom.a' } }, body: { expected_version: 4, reason: 'Because' } });
});

it('shows what the server refuses, and loads what somebody else has saved', async () => {
  const user = userEvent.setup();
  answers();
  vi.spyOn(api, 'PUT').mockRejectedValue(new ProblemError({ type: 'about:blank', title: 'Conflict', status: 409, code: 'OB-4095', detail: 'Somebody has saved another version.', request_id: 'req_a', issues: [{ line: 3, column: 1, message: 'No.' }] }));
  const reload = vi.fn();
  show(<Harness saved="a" onReload={reload} />);
  await user.type(screen.getByRole('textbox', { name: 'Policy (YAML)' }), 'b');
  await waitFor(() => expect((screen.getByRole('button', { name: 'Save' }) as HTMLButtonElement).disabled).toBe(false));
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect((await screen.findByRole('alert')).textContent).toMatch(/Somebody has saved another version\..*Line 3: No\./);
  await user.click(screen.getByRole('button', { name: 'Load the saved version' }));
  expect(reload).toHaveBeenCalled();
});
