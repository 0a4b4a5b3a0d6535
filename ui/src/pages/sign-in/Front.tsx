import { Text, Title } from '@mantine/core';
import { useEffect, type ReactNode } from 'react';

import classes from './Front.module.css';

/** Front is the frame of the pages before the sign-in. */
export function Front({ title, about, children }: { title: string; about?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Outband`;
  }, [title]);
  return (
    <main className={classes.ground}>
      <div className={`ob-surface ${classes.card}`}>
        <div className={classes.brand}>
          <img src="/assets/mark.svg" width={30} height={30} alt="" />
          Outband
        </div>
        <Title order={1} mb={4}>
          {title}
        </Title>
        {about && (
          <Text c="dimmed" size="sm" mb="md">
            {about}
          </Text>
        )}
        {children}
      </div>
    </main>
  );
}
