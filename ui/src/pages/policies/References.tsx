import { Anchor, List, Title } from '@mantine/core';

/** References lists the documents that a rule was written from. Only web addresses become links. */
export function References({ urls }: { urls: string[] }) {
  if (urls.length === 0) return null;
  return (
    <div>
      <Title order={3} mb={4}>
        References
      </Title>
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
    </div>
  );
}
