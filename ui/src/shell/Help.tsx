import { Kbd, Modal, Table, Title } from '@mantine/core';

import { places } from './Shell';

const rows: [string, [string[], string][]][] = [
  [
    'Everywhere',
    [
      [['?'], 'This help'],
      [['Ctrl', 'K'], 'Go to a page'],
      ...places.flatMap((p) => p.items).flatMap((i): [string[], string][] => (i.key ? [[['g', i.key], i.label]] : [])),
    ],
  ],
  [
    'Findings',
    [
      [['/'], 'Search'],
      [['j'], 'Next finding'],
      [['k'], 'Previous finding'],
      [['Enter'], 'Open the finding'],
      [['Esc'], 'Close it'],
      [['x'], 'Select it for a bulk change'],
      [['a'], 'Acknowledge it'],
      [['s'], 'Change its status'],
    ],
  ],
];

export default function Help({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keyboard" size="md">
      {rows.map(([title, keys]) => (
        <div key={title}>
          <Title order={3} mt="sm" mb={4}>
            {title}
          </Title>
          <Table withRowBorders={false} verticalSpacing={4}>
            <Table.Tbody>
              {keys.map(([k, what]) => (
                <Table.Tr key={what}>
                  <Table.Td w={120}>
                    {k.map((x, i) => (
                      <span key={x}>
                        {i > 0 && ' '}
                        <Kbd>{x}</Kbd>
                      </span>
                    ))}
                  </Table.Td>
                  <Table.Td>{what}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      ))}
    </Modal>
  );
}
