package connectortest

import (
	"fmt"
	"strings"

	"github.com/outband/outband/connectors"
)

// Groups of checks, in their order.
const (
	groupItems    = "Items"
	groupPages    = "Pages and cursors"
	groupContent  = "Content"
	groupRecords  = "Snapshots"
	groupFaults   = "Faults"
	groupRequests = "Requests"
	groupTest     = "The test of a connection"
	groupManifest = "The manifest"
)

// Checks returns the contract, in the order in which it is listed in the documentation.
func Checks() []Check {
	checks := []Check{
		{"golden", groupItems, "The items, parts and skipped rows of all recordings are those of `want.jsonl`.", nil, golden},
		{"identity", groupItems, "Every item has a known kind, an id, a version and a resource, and no page gives one twice.", anyKind, identity},
		{"times", groupItems, "Times are in UTC; an activity and an item of content has one, and it lies in the window that was asked for.", anyKind, times},
		{"unknown-fields", groupItems, "Fields that nobody documented change nothing, in rows and in content.", anyKind, unknownFields},
		{"unknown-values", groupItems, "New values of enumerations pass through: no item is lost, a new type of activity keeps its name, a new type of block keeps its text.", anyKind, unknownValues},
		{"unusable-rows", groupItems, "A row that cannot be used (without an id, no object) is counted as skipped, and its neighbours are kept.", anyKind, unusableRows},
		{"other-types", groupItems, "A row whose fields have other types than documented is counted too, and breaks nothing.", anyKind, otherTypes},
		{"spelling", groupItems, "The same moment in another spelling or time zone gives the same item and the same version.", anyKind, spelling},
		{"version-moves", groupItems, "The version of an item changes when its time moves.", func(s connectors.Stream) bool { return content(s) && !snapshot(s) }, versionMoves},
		{"deletions", groupItems, "An item whose row says that it was deleted is marked, has another version than before, and no other is marked.", content, deletions},

		{"one-call", groupPages, "`Read` makes one call.", anyKind, oneCall},
		{"resume", groupPages, "Reading goes on from every cursor, with a new source, as if it had never stopped.", anyKind, resume},
		{"same-page", groupPages, "A page that is read again is the same.", anyKind, samePage},
		{"empty-page", groupPages, "A last page without rows keeps the cursor.", anyKind, emptyPage},
		{"empty-page-with-more", groupPages, "A page without rows that says that there is more goes on, and is no end.", anyKind, emptyPageWithMore},
		{"repeated-cursor", groupPages, "A list that says that there is more and does not advance ends with KindMalformed.", anyKind, repeatedCursor},
		{"bad-cursor", groupPages, "A cursor that cannot be read is KindCursorExpired.", anyKind, badCursor},
		{"keeps-slice", groupPages, "Every cursor is a slice with the bounds, and the missing scopes, that the walk was begun with.", anyKind, keepsSlice},
		{"small-cursor", groupPages, "A cursor stays under 64 KiB after a page that is as full as the manifest says.", anyKind, smallCursor},
		{"clean-cursor", groupPages, "A cursor holds no key, no name, no address and no content.", anyKind, cleanCursor},
		{"window-bounds", groupPages, "The begin of a slice is in every request of its walk, and so is its end where the app has one to ask for.", dated, windowBounds},
		{"unknown-stream", groupPages, "A stream that the manifest does not have is an error, without a call.", nil, unknownStream},

		{"part-paths", groupContent, "Every part has a kind, a resource and a place that no other part of the item has; they are the same when it is fetched again; a place to go on from comes last.", content, partPaths},
		{"open-twice", groupContent, "A part reads alike when it is opened again, and the size that it tells is its size.", content, openTwice},
		{"children", groupContent, "A child is an item with kind, id, version and resource, and has parts or an error of its own.", content, children},
		{"unsure", groupContent, "A file whose version leans on a digest is `Unsure` when its row has none.", content, unsure},
		{"stops", groupContent, "`Fetch` stops, and calls no more, when no more parts are wanted.", content, stops},
		{"unusable-content", groupContent, "A row of content that cannot be used makes an error, after all the others were given.", content, unusableContent},
		{"endless-content", groupContent, "A list of content that does not advance ends with KindMalformed.", content, endless},
		{"later-fault", groupContent, "A fault at the last call of a `Fetch` is an error, not an end.", content, laterFault},
		{"gone", groupContent, "Content that answers 404 is KindGone.", content, gone},
		{"whole-files", groupContent, "A file that breaks off, or is over the limit, ends with an error, never as if it were whole.", content, wholeFiles},
		{"goes-on", groupContent, "From a place, `Fetch` gives the new parts only; those of two goes are those of one.", content, goesOn},
		{"gives-again", groupContent, "With `Again`, all parts come, and those from before the place are marked.", content, givesAgain},
		{"strange-place", groupContent, "From a place that the app does not know, all parts come, or an error.", content, strangePlace},

		{"record-shape", groupRecords, "Every record has a kind, an id and a scope, and fields of the types that can be compared.", snapshot, recordShape},
		{"record-ids", groupRecords, "No two records of a snapshot have one kind and id.", snapshot, recordIDs},
		{"no-persons", groupRecords, "The fields of a record hold no address, and not the name of its actor.", snapshot, noPersons},
		{"missing-scope", groupRecords, "A scope that answers 404 is in `Missing`, ends nothing, and no other scope loses a record.", records, missingScope},
		{"unavailable", groupRecords, "An optional stream that answers 404 is KindUnavailable, not empty.", func(s connectors.Stream) bool { return s.Optional }, unavailable},
	}
	checks = append(checks, faultChecks()...)
	return append(checks, []Check{
		{"too-big", groupFaults, "A reply over the limit ends with KindTooBig, after 16 calls at most.", anyKind, tooBig},
		{"cancelled", groupFaults, "The end of the context ends `Read` and `Fetch`, before a call and during one.", anyKind, cancelled},
		{"quiet-errors", groupFaults, "No error holds the key, a byte of a reply, or content, whatever the status.", anyKind, quietErrors},

		{"only-gets", groupRequests, "Every request is a GET.", nil, onlyGets},
		{"credential", groupRequests, "The credential is in its header, and nowhere else.", nil, credential},
		{"hostile-ids", groupRequests, "An id with slashes, dots or a question mark does not lead to another address.", anyKind, hostileIDs},
		{"independent", groupRequests, "Two sources that run at the same time know nothing of each other.", anyKind, independent},

		{"test-steps", groupTest, "The steps have names, titles and sentences, in the order key, dns, connect, tls, auth, and then the connector's own.", nil, testSteps},
		{"test-stops", groupTest, "The test ends at the first step without which nothing works, and that step says what is wrong.", nil, testStops},
		{"test-quiet", groupTest, "No step and no account holds the key or a byte of a reply that it must not.", nil, testQuiet},
		{"test-account", groupTest, "The test names the account, the streams that can be read, and scopes of the manifest only.", nil, testAccount},
		{"estimate", groupTest, "An estimate of a span of history takes few calls, is of the manifest's streams, and fails like a read.", nil, estimate},

		{"manifest-scopes", groupManifest, "Every stream is covered by a scope, or by a kind of key that is named for it.", nil, manifestScopes},
		{"manifest-limits", groupManifest, "Half of the vendor's requests are left to others by default, and one kind of key can be used.", nil, manifestLimits},
	}...)
}

// Table writes the checks as the list in docs/adding-a-connector.md.
func Table() string {
	var b strings.Builder
	group := ""
	for _, c := range Checks() {
		if c.Group != group {
			group = c.Group
			fmt.Fprintf(&b, "\n**%s**\n\n", group)
		}
		per := ""
		if c.streams == nil {
			per = " (once)"
		}
		fmt.Fprintf(&b, "- `%s`%s: %s\n", c.ID, per, c.Promise)
	}
	return b.String()
}
