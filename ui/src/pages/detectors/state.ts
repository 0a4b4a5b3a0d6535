/** template is where a new detector begins. It is green as it stands. */
export const template = `detectors:
  - id: custom.ticket
    title: Ticket number
    description: Numbers of tickets in our tracker.
    kind: pattern
    severity: medium
    confidence: 0.6
    pattern: 'ACME-(?P<value>[0-9]{6})'
    context: [ticket, issue]
    examples:
      match:
        - "see ACME-«123456»"
        - "ticket: ACME-«000001»"
        - '{"t":"ACME-«654321»"}'
        - "ACME-«111111», done"
        - "(ACME-«999999»)"
      no_match:
        - "ACME-12345"
        - "ACME-1234567"
        - "acme-123456"
        - "ACME 123456"
        - "ACME_123456"
`;

/** copyOf is the file of a detector under an id of its own, which keeps the family: that of secrets means something to the engine. */
export function copyOf(yaml: string, id: string): string {
  const own = id.startsWith('custom.') ? `${id}_copy` : `custom.${id.replace('.', '_')}`;
  return yaml.replace(/^(\s*(?:-\s+)?id:\s*)\S+\s*$/m, `$1${own}`);
}

/** placeOf is the offset of a line and column, both from 1; the columns are bytes. */
export function placeOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  let at = 0;
  for (let i = 0; i < Math.min(line - 1, lines.length); i++) at += lines[i]!.length + 1;
  const bytes = new TextEncoder().encode(lines[line - 1] ?? '').slice(0, Math.max(0, column - 1));
  return Math.min(text.length, at + new TextDecoder().decode(bytes).length);
}

/** idOf makes the id of a dictionary or a table of the name of a file. */
export function idOf(name: string): string {
  const s = name
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+/, '')
    .replace(/_+$/, '');
  return s.slice(0, 60);
}

/** idProblem says what is wrong with an id, or nothing. */
export function idProblem(id: string): string | null {
  return /^[a-z][a-z0-9_]{0,59}$/.test(id) ? null : 'Small letters, digits and underscores; a letter first; at most 60.';
}

/** sizeOf is a number of bytes for a person. */
export function sizeOf(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1 << 20) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

/** listDetector is the file of a detector that looks for the words of a dictionary. */
export function listDetector(id: string, title: string): string {
  return `detectors:
  - id: custom.${id}
    title: ${JSON.stringify(title)}
    kind: dictionary
    severity: medium
    confidence: 0.6
    list: ${id}
`;
}

/** tableDetector is the file of a detector that looks for values of a table. */
export function tableDetector(id: string, title: string, columns: string[]): string {
  return `detectors:
  - id: custom.${id}
    title: ${JSON.stringify(title)}
    kind: exact
    severity: high
    confidence: 0.9
    table: ${id}
    columns: [${columns.join(', ')}]
    least: ${Math.min(2, columns.length)} # so many columns of one row
    within: 30 # words
`;
}
