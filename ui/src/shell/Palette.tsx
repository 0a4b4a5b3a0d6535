import '@mantine/spotlight/styles.css';

import { Spotlight, spotlight } from '@mantine/spotlight';
import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';

import { Icon } from '../parts/icons';
import { useCan } from '../session';
import { places } from './Shell';

export default function Palette({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const can = useCan();
  useEffect(() => spotlight.open(), []);
  return (
    <Spotlight
      shortcut={null}
      onSpotlightClose={onClose}
      nothingFound="No page of that name"
      highlightQuery
      searchProps={{ placeholder: 'Go to…', 'aria-label': 'Go to', leftSection: <Icon name="search" /> }}
      actions={places
        .flatMap((p) => p.items)
        .filter((i) => !i.audit || can('audit'))
        .map((i) => ({ id: i.to, label: i.label, leftSection: <Icon name={i.icon} />, onClick: () => void navigate({ to: i.to }) }))}
    />
  );
}
