import { Anchor, Group, Stack, Text, Title } from '@mantine/core';
import { Fragment } from 'react';

import { SeverityBadge, Tag, words } from '../../parts/badges';
import { ProblemAlert, Rows } from '../../parts/states';
import { useNames, type Finding } from './data';
import { Facts } from './Drawer';
import classes from './drawer.module.css';
import { safeHref, type Names } from './state';
import { confidenceWord, contextWords, guideParts, lookedAt } from './wording';

/** Why tells why a finding was made: the policy, its condition, what matched, and what to do. */
export function Why({ finding: f, names }: { finding: Finding; names: Names }) {
  const { policies, detectors } = useNames();
  if (policies.error) return <ProblemAlert error={policies.error} onRetry={() => void policies.refetch()} />;
  if (detectors.error) return <ProblemAlert error={detectors.error} onRetry={() => void detectors.refetch()} />;
  if (policies.isPending || detectors.isPending) return <Rows n={6} />;
  const policy = policies.data.items.find((p) => p.id === f.policy_id);
  const instances = f.instances ?? [];
  const context = contextWords(instances);
  const href = safeHref(f.resource.url);
  return (
    <>
      {policy?.guide && (
        <section className={classes.section}>
          <Title order={3}>What to do</Title>
          <Text className="ob-break">
            {guideParts(policy.guide).map((text, i) => (
              <Fragment key={i}>
                {i > 0 && (href ? <Anchor href={href} target="_blank" rel="noopener noreferrer" underline="always">the {words(f.resource.kind).toLowerCase()}</Anchor> : `the app of ${names.connector.get(f.connector) ?? f.connector}`)}
                {text}
              </Fragment>
            ))}
          </Text>
        </section>
      )}
      <section className={classes.section}>
        <Title order={3}>The policy</Title>
        {policy ? (
          <Stack gap="sm">
            <Text>{policy.description}</Text>
            <Facts
              items={[
                ['Policy', policy.title],
                ['Id', <code key="id">{policy.id}</code>],
                ['Version', f.policy_version === policy.version ? String(policy.version) : `${f.policy_version} when it was last seen, ${policy.version} now`],
                ['Severity', <SeverityBadge key="s" severity={policy.severity} />],
                ['Mode', words(policy.mode)],
                ['Looks at', lookedAt(policy.on)],
              ]}
            />
            <div>
              <Text size="sm" c="dimmed" mb={4}>
                It makes a finding when this is true (CEL):
              </Text>
              <pre className={classes.code}>{policy.when}</pre>
            </div>
            <Links urls={policy.references} />
          </Stack>
        ) : (
          <Text>
            The policy <code>{f.policy_id}</code> (version {f.policy_version}) is not loaded any more. The finding stays as it was.
          </Text>
        )}
      </section>
      {f.detectors.length > 0 && (
        <section className={classes.section}>
          <Title order={3}>What matched</Title>
          <Stack gap="sm">
            {f.detectors.map((id) => {
              const d = detectors.data.items.find((x) => x.id === id);
              const its = instances.filter((i) => i.detector === id);
              const best = Math.max(0, ...its.map((i) => i.confidence));
              return (
                <article key={id} className={classes.instance}>
                  <Group justify="space-between" gap={8}>
                    <Text fw={600} size="sm">
                      {d?.title ?? id}
                    </Text>
                    {its.some((i) => i.validated) && (
                      <Tag tone="good" dot>
                        Validated
                      </Tag>
                    )}
                  </Group>
                  {d && (
                    <Text size="sm" mt={4}>
                      {d.description}
                    </Text>
                  )}
                  <Text size="sm" c="dimmed" mt={4} className="ob-break">
                    <code>{id}</code>
                    {best > 0 && ` · ${confidenceWord(best).toLowerCase()} confidence (${best.toFixed(2)})`}
                    {d?.validator && ` · checked by ${d.validator}`}
                  </Text>
                  <Links urls={d?.references ?? []} />
                </article>
              );
            })}
          </Stack>
        </section>
      )}
      {context.length > 0 && (
        <section className={classes.section}>
          <Title order={3}>Words nearby</Title>
          <Text size="sm" c="dimmed" mb={6}>
            These words of the detectors stand near a match and raise its confidence.
          </Text>
          <Group gap={6}>
            {context.map((w) => (
              <Tag key={w}>{w}</Tag>
            ))}
          </Group>
        </section>
      )}
    </>
  );
}

function Links({ urls }: { urls: string[] }) {
  const good = urls.flatMap((u) => safeHref(u) ?? []);
  if (good.length === 0) return null;
  return (
    <Stack gap={2} mt={4}>
      {good.map((u) => (
        <Anchor key={u} href={u} target="_blank" rel="noopener noreferrer" size="sm" underline="always" className="ob-break">
          {u}
        </Anchor>
      ))}
    </Stack>
  );
}
