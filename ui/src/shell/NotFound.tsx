import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { EmptyState } from '../parts/states';

export function NotFound() {
  return (
    <EmptyState icon="search" title="There is no such page" action={<Button component={Link} to="/">Go to the overview</Button>}>
      The address may be from another version, or cut off on its way.
    </EmptyState>
  );
}
