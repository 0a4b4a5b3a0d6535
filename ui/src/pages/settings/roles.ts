import { words } from '../../parts/badges';

/** What each role may do, in a sentence; the server's role table decides. */
export const rolesHelp: [string, string][] = [
  ['viewer', 'Sees connections, scans, coverage and lists of findings, and no evidence.'],
  ['analyst', 'Sees evidence and sets the status of findings.'],
  ['responder', 'An analyst who also starts scans.'],
  ['author', 'An analyst who also changes policies, makes exceptions from them and switches test data.'],
  ['admin', 'Everything: connections, keys, destinations, users and tokens too.'],
  ['auditor', 'Sees everything, the audit log too, and changes nothing.'],
  ['service', 'For programs: reads findings with evidence and starts scans.'],
];

export const roles = rolesHelp.map(([value]) => ({ value, label: words(value) }));
