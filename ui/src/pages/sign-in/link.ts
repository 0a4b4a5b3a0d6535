/**
 * takeToken reads the one-time token of a link from the part of the address after #, which no server and no log ever sees, and takes it out of the
 * address, so that it stays in no history and is in no screenshot.
 */
export function takeToken(): string {
  const token = new URLSearchParams(window.location.hash.slice(1)).get('token') ?? '';
  if (token) window.history.replaceState(window.history.state, '', window.location.pathname + window.location.search);
  return token;
}

/** passwordProblem says what is wrong with a new password, before the server is asked; the server knows more reasons. */
export function passwordProblem(password: string): string | null {
  const n = [...password].length;
  if (n < 12) return `At least 12 characters; these are ${n}. A few words that belong to nobody else are good.`;
  if (n > 128) return 'At most 128 characters.';
  return null;
}
