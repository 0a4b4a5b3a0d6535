// What the editor does with the text of a policy. The server alone reads it as YAML.

/** offsetOf is where a line and a column, both from 1, are in a text; column 0 is the beginning of the line's words. A place beyond the end is the end. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  if (line > lines.length) return text.length;
  const at = lines.slice(0, Math.max(line - 1, 0)).reduce((n, l) => n + l.length + 1, 0);
  const own = lines[Math.max(line - 1, 0)] ?? '';
  if (column < 1) return at + own.length - own.trimStart().length;
  // The server counts characters, a string counts UTF-16 units.
  return at + [...own].slice(0, column - 1).join('').length;
}

/** copyOf makes the text of a new policy out of that of another: another id, version 1. */
export function copyOf(yaml: string, id: string): string {
  return yaml
    .replace(/^id:.*$/m, () => `id: custom.${(id.split('.').pop() ?? id).slice(0, 50)}_copy`)
    .replace(/^version:\s*\d+/m, 'version: 1');
}

/** template is what a new policy begins with; its test is green. */
export const template = `id: custom.new_policy
version: 1
title: Payment card shared outside
description: A card number stands in a chat that others can read.
severity: high
guide: |
  Open {resource.url}, end the sharing, then delete the number.
on:
  items: [message, file]
when: |
  count("financial.card", 0.6) > 0 && resource.visibility == "public"
tests:
  - name: a card in a public chat
    input:
      resource.visibility: public
      matches: [{detector: financial.card}]
    want: true
  - name: a card in a private chat
    input:
      resource.visibility: private
      matches: [{detector: financial.card}]
    want: false
`;
