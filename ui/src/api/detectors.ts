import { useQuery } from '@tanstack/react-query';

import { api, type Schemas } from './client';

/** useDetectors reads all detectors; they are more than one page. */
export function useDetectors() {
  return useQuery({
    queryKey: ['get', '/api/v1/detectors', 'all'],
    staleTime: 5 * 60_000,
    queryFn: async ({ signal }) => {
      const items: Schemas['Detector'][] = [];
      let cursor: string | undefined;
      do {
        const { data } = await api.GET('/api/v1/detectors', { params: { query: { limit: 500, cursor } }, signal });
        items.push(...data!.items);
        cursor = data!.next_cursor || undefined;
      } while (cursor);
      return { items };
    },
  });
}
