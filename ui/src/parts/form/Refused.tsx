import { Text } from '@mantine/core';

import { problemOf } from '../../api/client';
import { ProblemAlert } from '../states';

/** Refused says why the server refused a form. What it says about inputs that the form shows stands beside them, and is not said twice. */
export function Refused({ error, title, shown }: { error: unknown; title: string; shown: RegExp }) {
  const p = problemOf(error);
  if (!p.errors?.length || !p.errors.every((e) => shown.test(e.location))) return <ProblemAlert error={error} title={title} />;
  return (
    <Text role="alert" size="sm" c="var(--mantine-color-error)">
      {title}: correct what is marked above. ({p.code})
    </Text>
  );
}
