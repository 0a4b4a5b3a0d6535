import { ActionIcon, Code, CopyButton, Group, Tooltip } from '@mantine/core';

import { Icon } from './icons';

/** Copyable shows a value with a button that copies it. */
export function Copyable({ value, label = 'Copy', block }: { value: string; label?: string; block?: boolean }) {
  return (
    <Group gap={4} wrap="nowrap" align="flex-start">
      <Code block={block} className="ob-break" style={{ flex: block ? 1 : undefined, whiteSpace: 'pre-wrap' }}>
        {value}
      </Code>
      <CopyButton value={value} timeout={2000}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? 'Copied' : label}>
            <ActionIcon onClick={copy} aria-label={label}>
              <Icon name={copied ? 'check' : 'copy'} size={16} />
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </Group>
  );
}
