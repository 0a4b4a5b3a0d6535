import { Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';

/** UsedBy lists the detectors that name a dictionary or a table. */
export function UsedBy({ ids }: { ids: string[] }) {
  if (ids.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No detector
      </Text>
    );
  }
  return (
    <Stack gap={2}>
      {ids.map((id) => (
        <Link key={id} to="/detectors/edit" search={{ id }}>
          {id}
        </Link>
      ))}
    </Stack>
  );
}
