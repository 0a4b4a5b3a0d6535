import { notifications } from '@mantine/notifications';

import { problemOf } from '../api/client';

/** done tells that something worked. */
export function done(message: string) {
  notifications.show({ message, color: 'tide' });
}

/** failed tells why something did not work; it stays until it is closed. */
export function failed(error: unknown, title = 'This was refused') {
  const p = problemOf(error);
  notifications.show({ title, message: `${p.detail} (${p.code}${p.request_id ? `, request ${p.request_id}` : ''})`, color: 'red', autoClose: false });
}
