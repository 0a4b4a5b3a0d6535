import { Group, Stack, Text, Title } from '@mantine/core';
import { useEffect, type ReactNode } from 'react';

/** Page is the frame of every page: its title (also of the window), one line of what it is for, its actions. */
export function Page({ title, about, actions, children }: { title: string; about?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Outband`;
  }, [title]);
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-end" gap="sm">
        <div>
          <Title order={1}>{title}</Title>
          {about && (
            <Text c="dimmed" size="sm" mt={2}>
              {about}
            </Text>
          )}
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}

/** Panel is a titled part of a page. */
export function Panel({ title, right, children, pad = true }: { title?: ReactNode; right?: ReactNode; children: ReactNode; pad?: boolean }) {
  return (
    <section className="ob-surface" style={{ padding: pad ? 16 : 0, overflow: 'hidden' }}>
      {title && (
        <Group justify="space-between" mb={pad ? 'sm' : 0} p={pad ? 0 : 'sm'} gap="sm">
          <Title order={2}>{title}</Title>
          {right}
        </Group>
      )}
      {children}
    </section>
  );
}
