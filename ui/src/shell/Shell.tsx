import { ActionIcon, Menu, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { lazy, Suspense, useEffect } from 'react';

import { $api, api } from '../api/client';
import { words } from '../parts/badges';
import { Icon, type IconName } from '../parts/icons';
import { failed } from '../parts/notify';
import { roleOf, useCan, useMe } from '../session';
import { useShortcuts } from './keys';
import classes from './Shell.module.css';

const Help = lazy(() => import('./Help'));
const Palette = lazy(() => import('./Palette'));

export interface Place {
  to: string;
  label: string;
  icon: IconName;
  key?: string;
  audit?: boolean;
}

export const places: { group?: string; items: Place[] }[] = [
  {
    items: [
      { to: '/', label: 'Overview', icon: 'overview', key: 'o' },
      { to: '/findings', label: 'Findings', icon: 'findings', key: 'f' },
      { to: '/connections', label: 'Connections', icon: 'connections', key: 'c' },
      { to: '/coverage', label: 'Coverage', icon: 'coverage', key: 'v' },
      { to: '/destinations', label: 'Destinations', icon: 'destinations', key: 'd' },
    ],
  },
  {
    group: 'Rules',
    items: [
      { to: '/policies', label: 'Policies', icon: 'policies', key: 'p' },
      { to: '/detectors', label: 'Detectors', icon: 'detectors', key: 'e' },
    ],
  },
  {
    group: 'Outband',
    items: [
      { to: '/settings', label: 'Settings and health', icon: 'settings', key: 's' },
      { to: '/users', label: 'Users', icon: 'users', audit: true },
      { to: '/tokens', label: 'API tokens', icon: 'tokens', audit: true },
      { to: '/audit', label: 'Audit log', icon: 'audit', audit: true },
    ],
  },
];

/** Shell is what every page behind the sign-in has around it. */
export function Shell() {
  const can = useCan();
  const [menu, { toggle, close }] = useDisclosure(false);
  const [help, helpOf] = useDisclosure(false);
  const [palette, paletteOf] = useDisclosure(false);
  const path = useRouterState({ select: (s) => s.location.pathname });
  useEffect(close, [path, close]);
  useShortcuts({ help: helpOf.open, palette: paletteOf.open });
  const system = $api.useQuery('get', '/api/v1/system', {}, { staleTime: 30_000, refetchInterval: 60_000 });
  const open = $api.useQuery('get', '/api/v1/findings/facets', { params: { query: { status: ['open'] } } }, { staleTime: 15_000, refetchInterval: 60_000 });
  return (
    <div className={classes.frame}>
      <a className="ob-skip" href="#main">
        Skip to the page
      </a>
      {system.data?.demo && (
        <div className={classes.banner} role="note">
          Demo data: a made-up organisation on this machine. Nothing here is real, and nothing leaves it.
        </div>
      )}
      <div className={classes.bar}>
        <ActionIcon onClick={toggle} aria-label="Menu" aria-expanded={menu} size="lg">
          <Icon name="menu" />
        </ActionIcon>
        <strong>Outband</strong>
      </div>
      <nav className={classes.side} data-open={menu} aria-label="Pages">
        <Link to="/" className={classes.brand}>
          <img src="/assets/mark.svg" width={28} height={28} alt="" />
          Outband
        </Link>
        {places.map((g) => {
          const items = g.items.filter((i) => !i.audit || can('audit'));
          return (
            <div key={g.group ?? ''}>
              {g.group && <div className={classes.group}>{g.group}</div>}
              {items.map((i) => (
                <Link key={i.to} to={i.to} className={classes.link} activeOptions={{ exact: i.to === '/', includeSearch: false }} activeProps={{ 'aria-current': 'page' }}>
                  <Icon name={i.icon} />
                  {i.label}
                  {i.to === '/findings' && open.data && open.data.total > 0 && (
                    <span className={classes.count}>
                      <span aria-hidden="true">{open.data.total.toLocaleString('en')}</span>
                      <span className="ob-skip">{open.data.total} open</span>
                    </span>
                  )}
                </Link>
              ))}
            </div>
          );
        })}
        <div className={classes.foot}>
          <PersonMenu onHelp={helpOf.open} />
        </div>
      </nav>
      <main id="main" className={classes.main} tabIndex={-1}>
        <Outlet />
      </main>
      <Suspense fallback={null}>
        {help && <Help onClose={helpOf.close} />}
        {palette && <Palette onClose={paletteOf.close} />}
      </Suspense>
    </div>
  );
}

function PersonMenu({ onHelp }: { onHelp: () => void }) {
  const me = useMe();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const leave = async () => {
    try {
      await api.DELETE('/api/v1/session');
    } catch (e) {
      failed(e, 'Signing out failed');
      return;
    }
    queries.clear();
    await navigate({ to: '/sign-in' });
  };
  return (
    <Menu position="top-start" width={210} withinPortal>
      <Menu.Target>
        <UnstyledButton className={classes.link} w="100%">
          <Icon name="person" />
          <span style={{ minWidth: 0 }}>
            <span className="ob-skip">Your account: </span>
            <span style={{ display: 'block', overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' }}>{me?.user?.name || me?.user?.email || me?.token?.name}</span>
            {' '}
            <span style={{ display: 'block', fontSize: '0.75rem', color: 'var(--mantine-color-dimmed)' }}>{words(roleOf(me) ?? '')}</span>
          </span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Appearance</Menu.Label>
        {(
          [
            ['auto', 'As the system', 'screen'],
            ['light', 'Light', 'sun'],
            ['dark', 'Dark', 'moon'],
          ] as const
        ).map(([value, label, icon]) => (
          <Menu.Item key={value} leftSection={<Icon name={icon} size={16} />} rightSection={colorScheme === value ? <Icon name="check" size={14} /> : null} onClick={() => setColorScheme(value)}>
            {label}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="keyboard" size={16} />} onClick={onHelp}>
          Keyboard
        </Menu.Item>
        {me?.user && (
          <Menu.Item leftSection={<Icon name="key" size={16} />} component={Link} to="/settings">
            Change password
          </Menu.Item>
        )}
        <Menu.Item leftSection={<Icon name="exit" size={16} />} onClick={() => void leave()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
