import { Anchor, List, Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { FindingsSearch } from '../../search';

/** FindingsCount is how many findings a rule has, as a link to them. */
export function FindingsCount({ n, search, label }: { n: number; search: FindingsSearch; label: string }) {
  if (n === 0) {
    return (
      <Text span size="sm" c="dimmed">
        0
      </Text>
    );
  }
  return (
    <Link to="/findings" search={search} aria-label={`${n} findings ${label}`}>
      {n.toLocaleString('en')}
    </Link>
  );
}

/** Section is a titled part of a rule's drawer. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div>
      <Title order={3} mb={4}>
        {title}
      </Title>
      {children}
    </div>
  );
}

/** References lists the documents that a rule was written from. Only web addresses become links. */
export function References({ urls }: { urls: string[] }) {
  if (urls.length === 0) return null;
  return (
    <Section title="References">
      <List size="sm">
        {urls.map((u) => (
          <List.Item key={u} className="ob-break">
            {/^https?:\/\//.test(u) ? (
              <Anchor href={u} target="_blank" rel="noreferrer noopener" c="var(--ob-link)" underline="always">
                {u}
              </Anchor>
            ) : (
              u
            )}
          </List.Item>
        ))}
      </List>
    </Section>
  );
}
