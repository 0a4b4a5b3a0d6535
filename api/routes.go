package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/dlp"
)

// Who may do what. An operation whose row names no role is refused to everybody.
var (
	anyone   = Roles()
	evidence = []string{RoleAnalyst, RoleResponder, RoleAuthor, RoleAdmin, RoleAuditor, RoleService} // all but viewer
	triage   = []string{RoleAnalyst, RoleResponder, RoleAuthor, RoleAdmin}
	scanning = []string{RoleResponder, RoleAdmin, RoleService}
	authors  = []string{RoleAuthor, RoleAdmin}
	admins   = []string{RoleAdmin}
	auditors = []string{RoleAuditor, RoleAdmin}

	public = []string{Public} // who signs in
	person = []string{Person} // every role, by a session only
)

// routes is every operation of the API with its role beside it.
func (a *API) routes() []route {
	return []route{
		get("get-setup", "/setup", public, "Whether the installation waits for its first admin", a.getSetUp),
		post("set-up", "/setup", public, http.StatusOK, "Make the first admin, with the token that the server printed, and sign in", a.setUp),
		post("create-session", "/session", public, http.StatusOK, "Sign in with a password", a.createSession),
		post("use-link", "/session/link", public, http.StatusOK, "Sign in with a one-time link; an invitation sets the password too", a.useLink),
		get("get-session", "/session", anyone, "Who makes the request: a person or a token", a.getSession),
		operation(http.MethodDelete, "delete-session", "/session", person, http.StatusNoContent, "Sign out", a.deleteSession),
		post("change-password", "/session/password", person, http.StatusOK, "Change one's own password; all other sessions end", a.changePassword),

		get("list-connectors", "/connectors", anyone, "List connectors with what their connections need", a.listConnectors),

		get("list-connections", "/connections", anyone, "List connections", a.listConnections),
		post("create-connection", "/connections", admins, http.StatusCreated, "Connect an app: the key is tested first, and a first scan is queued", a.createConnection),
		a.testRoute(post("test-connection", "/connections/test", admins, http.StatusOK, "Test a key and settings without saving them", a.testConnection)),
		post("estimate-backfill", "/connections/backfill/estimate", admins, http.StatusOK, "Estimate what reading the history takes, of a connection that is saved or not", a.estimateBackfill),
		get("get-connection", "/connections/{id}", anyone, "Get a connection", a.getConnection),
		patch("update-connection", "/connections/{id}", admins, "Change a connection; new settings and keys are tested first", a.updateConnection),
		remove("delete-connection", "/connections/{id}", admins, "Remove a connection, its schedule and its key; its findings stay", a.deleteConnection),
		post("scan-connection", "/connections/{id}/scan", scanning, http.StatusAccepted, "Scan now; requests that overlap share one scan", a.scanConnection),
		post("pause-connection", "/connections/{id}/pause", admins, http.StatusOK, "Stop scanning until resumed", a.pauseConnection),
		post("resume-connection", "/connections/{id}/resume", admins, http.StatusOK, "Scan by schedule again", a.resumeConnection),
		get("get-backfill", "/connections/{id}/backfill", anyone, "How far the reading of the history is", a.getBackfill),
		post("pause-backfill", "/connections/{id}/backfill/pause", admins, http.StatusOK, "Stop reading history until resumed; what is new is read all the same", a.pauseBackfill),
		post("resume-backfill", "/connections/{id}/backfill/resume", admins, http.StatusOK, "Read history again", a.resumeBackfill),

		get("list-scans", "/scans", anyone, "List scans, the newest first", a.listScans),
		get("get-scan", "/scans/{id}", anyone, "Get a scan", a.getScan),
		stream("watch-scan", "/scans/{id}/events", anyone, "Follow a scan until it ends", a.watchScan, "text/event-stream"),
		get("get-coverage", "/coverage", anyone, "What was read, scanned and skipped, for each connection and stream, and what is not read", a.coverage),
		get("get-coverage-calendar", "/coverage/calendar", anyone, "What was read of each day, for each stream of a connection", a.coverageCalendar),
		get("list-deleted", "/coverage/deleted", evidence, "List what users deleted before it was scanned, the newest first", a.listDeleted),

		get("list-records", "/records", evidence, "List users, roles, settings, keys and shares as they are, or as they were at a time", a.listRecords),
		get("list-record-history", "/records/history", evidence, "List the versions of a record, the newest first", a.recordHistory),
		get("list-record-changes", "/records/changes", evidence, "List what appeared, changed and ended between snapshots, the newest first", a.recordChanges),

		get("list-findings", "/findings", anyone, "List findings without instances", a.listFindings),
		get("get-finding", "/findings/{id}", evidence, "Get a finding with its first 1000 instances", a.getFinding),
		patch("update-finding", "/findings/{id}", triage, "Change the status of a finding", a.updateFinding),
		get("list-instances", "/findings/{id}/instances", evidence, "List the instances of a finding, the oldest first", a.listInstances),
		get("list-finding-history", "/findings/{id}/history", evidence, "List the changes of a finding, the oldest first", a.findingHistory),
		get("list-finding-deliveries", "/findings/{id}/deliveries", evidence, "List the deliveries of a finding to all destinations, the newest first", a.findingDeliveries),
		post("update-findings", "/findings/bulk", triage, http.StatusOK, "Change the status of up to 500 findings", a.updateFindings),
		get("count-findings", "/findings/facets", anyone, "Count findings by the values of each field", a.facets),
		get("count-people", "/findings/people", anyone, "Count findings by person, the one with the most first", a.people),
		get("chart-findings", "/findings/timeline", anyone, "Count findings by the time they were first seen", a.timeline),
		stream("export-findings", "/findings/export", evidence, "Export findings, as NDJSON with all instances or as CSV without", a.exportFindings, "application/x-ndjson", "text/csv"),

		get("list-destinations", "/destinations", anyone, "List destinations", a.listDestinations),
		post("create-destination", "/destinations", admins, http.StatusCreated, "Add a destination; a signing key is made if none is given, and shown once", a.createDestination),
		post("test-destination", "/destinations/test", admins, http.StatusOK, "Send a signed test event without saving the destination", a.testDestination),
		post("preview-destination", "/destinations/preview", evidence, http.StatusOK, "Show the call that a destination would get, without sending it", a.previewDestination),
		get("get-destination", "/destinations/{id}", anyone, "Get a destination", a.getDestination),
		patch("update-destination", "/destinations/{id}", admins, "Change a destination", a.updateDestination),
		remove("delete-destination", "/destinations/{id}", admins, "Remove a destination and its signing key", a.deleteDestination),
		get("list-deliveries", "/destinations/{id}/deliveries", evidence, "List the deliveries of a destination, the newest first", a.listDeliveries),
		post("replay-deliveries", "/destinations/{id}/replay", admins, http.StatusOK, "Send events again, under the same ids", a.replayDeliveries),

		get("get-detector-yield", "/detectors/yield", anyone, "What each detector found and how often it looked, today and in 7 days", a.detectorYield),
		get("get-policy-yield", "/policies/yield", anyone, "What each policy found and what it cost, today and in 7 days", a.policyYield),
		get("list-detectors", "/detectors", anyone, "List detectors", a.listDetectors),
		post("create-detector", "/detectors", authors, http.StatusCreated, "Save a custom detector; it is in force at once", a.createDetector),
		post("check-detector", "/detectors/check", authors, http.StatusOK, "Hold the file of a detector to lint, examples and cost, and try it on a text, without saving anything", a.checkDetector),
		get("get-detector", "/detectors/{id}", anyone, "Get a detector", a.getDetector),
		patch("update-detector", "/detectors/{id}", authors, "Switch a detector on or off", a.updateDetector),
		put("replace-detector", "/detectors/{id}", authors, "Save the next version of a custom detector", a.replaceDetector),
		remove("delete-detector", "/detectors/{id}", authors, "Remove a custom detector; its versions stay", a.deleteDetector),
		get("get-detector-source", "/detectors/{id}/source", evidence, "Get the file of a detector", a.detectorSource),
		get("list-detector-versions", "/detectors/{id}/versions", evidence, "List the versions of a custom detector, the newest first", a.detectorVersions),
		get("list-dictionaries", "/dictionaries", anyone, "List dictionaries: counts, never the words", a.listDictionaries),
		upload(post("put-dictionary", "/dictionaries", authors, http.StatusOK, "Upload a list of words, a new one or in place of one: UTF-8, one word or phrase on a line", a.putDictionary), dlp.MaxWordList),
		remove("delete-dictionary", "/dictionaries/{id}", authors, "Remove a dictionary that no detector names", a.deleteDictionary),
		get("list-exact-tables", "/exact-tables", anyone, "List tables of exact values", a.listExactTables),
		post("create-exact-table", "/exact-tables", authors, http.StatusCreated, "Make a table; its key is shown once, and its values are hashed with it where they are", a.createExactTable),
		get("get-exact-table", "/exact-tables/{id}", anyone, "Get a table", a.getExactTable),
		binaryBody(put("upload-exact-table", "/exact-tables/{id}/file", authors, "Upload what outband edm hash has written", a.uploadExactTable)),
		remove("delete-exact-table", "/exact-tables/{id}", authors, "Remove a table that no detector names, and its key", a.deleteExactTable),
		get("list-policies", "/policies", anyone, "List policies with what the overrides make of them", a.listPolicies),
		get("get-policy", "/policies/{id}", anyone, "Get a policy", a.getPolicy),
		patch("update-policy", "/policies/{id}", authors, "Override the severity or mode of a policy", a.updatePolicy),
		post("create-policy", "/policies", authors, http.StatusCreated, "Save a new custom policy; a red test refuses it", a.createPolicy),
		put("replace-policy", "/policies/{id}", authors, "Save a new version of a custom policy; a red test refuses it", a.replacePolicy),
		remove("delete-policy", "/policies/{id}", authors, "Retire a custom policy; its findings and versions stay", a.deletePolicy),
		post("check-policy", "/policies/check", authors, http.StatusOK, "Compile a policy and run its tests without saving it", a.checkPolicy),
		get("export-policies", "/policies/export", authors, "Get the files of all custom policies", a.exportPolicies),
		post("import-policies", "/policies/import", authors, http.StatusOK, "Save the files of several custom policies, all or none, or try it", a.importPolicies),
		get("list-policy-versions", "/policies/{id}/versions", authors, "List the versions of a custom policy, the newest first", a.policyVersions),
		get("list-shadow-findings", "/policies/{id}/shadow", evidence, "List what a policy in shadow would have made findings of, the newest first", a.shadowFindings),
		get("get-policy-source", "/policies/{id}/source", authors, "Get the file of a policy, also of one that is built in", a.policySource),
		post("resume-policy", "/policies/{id}/resume", authors, http.StatusOK, "Resume a policy that was paused because it cost or found too much", a.resumePolicy),

		get("get-allowlist", "/allowlist", anyone, "List published test data that makes no finding, group by group", a.allowlist),
		patch("update-allowlist", "/allowlist/{id}", authors, "Switch a group of test data on or off", a.updateAllowlist),

		get("list-exceptions", "/exceptions", evidence, "List exceptions from policies, the one that expires first at the beginning", a.listExceptions),
		post("create-exception", "/exceptions", authors, http.StatusCreated, "Make an exception from a policy, with an owner, a reason and an end", a.createException),
		get("get-exception", "/exceptions/{id}", evidence, "Get an exception", a.getException),
		patch("update-exception", "/exceptions/{id}", authors, "Extend an exception, or change its owner or reason", a.updateException),
		post("revoke-exception", "/exceptions/{id}/revoke", authors, http.StatusOK, "End an exception; it stays in the list", a.revokeException),

		get("list-profiles", "/profiles", anyone, "List profiles: sets of detectors with thresholds", a.listProfiles),
		post("create-profile", "/profiles", authors, http.StatusCreated, "Make a profile", a.createProfile),
		post("check-profile", "/profiles/check", authors, http.StatusOK, "Check a profile without saving it", a.checkProfile),
		get("get-profile", "/profiles/{id}", anyone, "Get a profile", a.getProfile),
		put("update-profile", "/profiles/{id}", authors, "Replace a profile, or put a changed copy in the place of a built-in one", a.updateProfile),
		remove("delete-profile", "/profiles/{id}", authors, "Remove a profile, or bring the built-in one back", a.deleteProfile),
		get("list-profile-versions", "/profiles/{id}/versions", anyone, "List the newest 100 versions of a profile, the newest first", a.profileVersions),

		get("list-users", "/users", auditors, "List users", a.listUsers),
		post("create-user", "/users", admins, http.StatusCreated, "Invite a person; the link is shown once", a.createUser),
		patch("update-user", "/users/{id}", admins, "Change a user's name or role, disable or enable them", a.updateUser),
		post("create-user-link", "/users/{id}/link", admins, http.StatusCreated, "Make a new one-time link by which a user chooses a password", a.createUserLink),

		get("list-tokens", "/tokens", auditors, "List tokens, the newest first", a.listTokens),
		post("create-token", "/tokens", admins, http.StatusCreated, "Make a token; its text is shown once", a.createToken),
		remove("delete-token", "/tokens/{id}", admins, "Revoke a token", a.revokeToken),
		get("list-audit", "/audit", auditors, "List the audit log, the newest row first", a.listAudit),
		get("get-system", "/system", anyone, "The version, the state of the parts, and the hosts that may be called", a.system),
	}
}

// route is one operation before it is registered.
type route struct {
	op       huma.Operation
	register func(*API, huma.Operation)
}

func get[I, O any](id, path string, roles []string, summary string, h func(context.Context, *I) (*O, error)) route {
	return operation(http.MethodGet, id, path, roles, http.StatusOK, summary, h)
}

func post[I, O any](id, path string, roles []string, status int, summary string, h func(context.Context, *I) (*O, error)) route {
	return operation(http.MethodPost, id, path, roles, status, summary, h)
}

func patch[I, O any](id, path string, roles []string, summary string, h func(context.Context, *I) (*O, error)) route {
	return operation(http.MethodPatch, id, path, roles, http.StatusOK, summary, h)
}

func put[I, O any](id, path string, roles []string, summary string, h func(context.Context, *I) (*O, error)) route {
	return operation(http.MethodPut, id, path, roles, http.StatusOK, summary, h)
}

// upload is an operation whose body is text of up to maxBytes.
func upload(r route, maxBytes int64) route {
	r.op.MaxBodyBytes = maxBytes
	return r
}

// binaryBody is an operation that reads its body itself, as it comes.
func binaryBody(r route) route {
	r.op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		octets: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	r.op.MaxBodyBytes = dlp.MaxTableFile
	return r
}

func remove[I any](id, path string, roles []string, summary string, h func(context.Context, *I) error) route {
	return operation(http.MethodDelete, id, path, roles, http.StatusNoContent, summary, func(ctx context.Context, in *I) (*struct{}, error) {
		return nil, h(ctx, in)
	})
}

// stream is an operation that answers piece by piece.
func stream[I any](id, path string, roles []string, summary string, h func(context.Context, *I) (*huma.StreamResponse, error), mediaTypes ...string) route {
	r := operation(http.MethodGet, id, path, roles, http.StatusOK, summary, h)
	content := map[string]*huma.MediaType{}
	for _, m := range mediaTypes {
		content[m] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	r.op.Responses = map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: content}}
	return r
}

// security is by what a row's callers say who they are.
func security(roles []string) []map[string][]string {
	session, token := map[string][]string{"session": {}}, map[string][]string{"token": {}}
	switch {
	case slices.Contains(roles, Public):
		return []map[string][]string{{}}
	case slices.Contains(roles, Person):
		return []map[string][]string{session}
	}
	return []map[string][]string{token, session}
}

func operation[I, O any](method, id, path string, roles []string, status int, summary string, h func(context.Context, *I) (*O, error)) route {
	return route{
		op: huma.Operation{
			OperationID: id, Method: method, Path: "/api/v1" + path, Summary: summary, DefaultStatus: status,
			Metadata: map[string]any{metaRoles: roles}, Security: security(roles), MaxBodyBytes: 1 << 20,
		},
		register: func(a *API, op huma.Operation) {
			op.BodyReadTimeout = a.cfg.BodyTimeout
			huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
				out, err := h(ctx, in)
				if err != nil {
					return nil, a.problem(ctx, err)
				}
				return out, nil
			})
		},
	}
}
