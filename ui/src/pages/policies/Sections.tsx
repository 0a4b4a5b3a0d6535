import { Alert, Button, Group, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { api, type Schemas } from '../../api/client';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import { pauseWords } from './list';
import classes from './rules.module.css';

const ofPolicies = [
  ['/policies', 'All policies'],
  ['/profiles', 'Profiles'],
  ['/policies/exceptions', 'Exceptions'],
  ['/policies/yield', 'Yield and cost'],
  ['/policies/test-data', 'Test data'],
] as const;

const ofDetectors = [
  ['/detectors', 'All detectors'],
  ['/dictionaries', 'Dictionaries'],
  ['/exact-tables', 'Exact tables'],
  ['/detectors/yield', 'Yield and cost'],
] as const;

/** Sections are the links between the pages about policies, or about detectors. */
export function Sections({ of }: { of: 'policies' | 'detectors' }) {
  return (
    <nav className={classes.sections} aria-label={of === 'policies' ? 'About policies' : 'Detectors and what they read'}>
      {(of === 'policies' ? ofPolicies : ofDetectors).map(([to, label]) => (
        <Link key={to} to={to} className={classes.section} activeOptions={{ exact: true, includeSearch: false }} activeProps={{ 'aria-current': 'page' }}>
          {label}
        </Link>
      ))}
    </nav>
  );
}

/** Pauses names the policies that cost or found too much, with what to do about each. */
export function Pauses({ policies }: { policies: Pick<Schemas['Policy'], 'id' | 'title' | 'pause'>[] }) {
  const can = useCan();
  const queries = useQueryClient();
  const paused = policies.filter((p) => p.pause);
  if (paused.length === 0) return null;
  const resume = async (id: string, title: string) => {
    try {
      await api.POST('/api/v1/policies/{id}/resume', { params: { path: { id } } });
      done(`${title} makes findings again.`);
    } catch (e) {
      failed(e);
    }
    await queries.invalidateQueries({ queryKey: ['get', '/api/v1/policies'] });
    await queries.invalidateQueries({ queryKey: ['get', '/api/v1/policies/yield'] });
  };
  return (
    <Alert role="alert" color="yellow" variant="outline" icon={<Icon name="pause" />} title="Policies that cost or found too much" styles={{ title: { color: 'var(--mantine-color-text)' } }}>
      <ul className={classes.notices}>
        {paused.map((p) => (
          <li key={p.id}>
            <Group gap="sm" justify="space-between">
              <Text size="sm">
                <Link to="/findings" search={{ policy_id: [p.id] }}>
                  {p.title}
                </Link>{' '}
                {pauseWords(p.pause!)} <When at={p.pause!.since} />.
              </Text>
              {can('policies') && (
                <Button size="compact-sm" variant="default" leftSection={<Icon name="play" size={14} />} onClick={() => void resume(p.id, p.title)}>
                  {p.pause!.paused ? 'Resume' : 'Seen'}
                </Button>
              )}
            </Group>
          </li>
        ))}
      </ul>
    </Alert>
  );
}
