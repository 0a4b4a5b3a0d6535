package elastic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/store"
)

const (
	leaseTime  = 2 * time.Minute // of a reindex; renewed with each batch
	renewAfter = 20 * time.Second
	swapTries  = 5
)

// reindex is one Reindex under way.
type reindex struct {
	*Index
	owner   store.LeaseOwner
	renewed time.Time
	number  int             // of the new indices
	made    map[string]bool // the new indices
	since   int64
	refused int
}

// Reindex builds the index anew from the store, beside the old one, and then puts it in its place at once: questions are answered from the old one
// until then. Changes go on meanwhile. report is called with how many findings of about how many are done. After an error it can be run again: what
// the first run left is removed. Errors: *Error (OB-6010: another one is under way), those of the store and of ctx.
func (x *Index) Reindex(ctx context.Context, report func(done, total int64)) (err error) {
	r := &reindex{Index: x, made: map[string]bool{}, owner: store.LeaseOwner{Work: id.New("reindex_"), Attempt: 1}}
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer func() {
		// Also where ctx has ended: the next one need not wait for the lease. The marker stays after an error, and a Step clears it.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, x.deps.DB.Write(end, func(tx *store.Tx) error { return store.ReleaseLease(end, tx, leaseName, r.owner) }))
	}()
	if _, err := x.version(ctx); err != nil {
		return err
	}
	if err := x.putTemplate(ctx); err != nil {
		return err
	}
	if err := r.clean(ctx); err != nil {
		return err
	}
	if err := r.build(ctx, report); err != nil {
		return err
	}
	end, err := r.catchUp(ctx, r.since, r.name)
	if err != nil {
		return err
	}
	if err := r.swap(ctx); err != nil {
		return err
	}
	// What a Step wrote to the old indices right before the swap was in the log before it: all of that is read again, now into the new ones.
	x.forget()
	if _, err := r.catchUp(ctx, end, month); err != nil {
		return err
	}
	return x.deps.DB.Write(ctx, func(tx *store.Tx) error {
		if err := store.CheckLease(ctx, tx, leaseName, r.owner); err != nil {
			return err
		}
		if err := rewind(ctx, tx); err != nil {
			return err
		}
		return store.SetMeta(ctx, tx, metaRefused, strconv.Itoa(r.refused))
	})
}

// begin takes the lease and notes the end of the log.
func (r *reindex) begin(ctx context.Context) error {
	err := r.deps.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if err := store.AcquireLease(ctx, tx, leaseName, r.owner, leaseTime); err != nil {
			return err
		}
		if r.since, err = findings.LogEnd(ctx, tx); err != nil {
			return err
		}
		since := r.since
		if before, err := store.GetMeta(ctx, tx, metaReindex); err == nil && before != "" {
			// One that died began earlier, and no Step has settled that.
			n, err := number(ctx, tx, metaReindex)
			if err != nil {
				return err
			}
			since = min(since, n)
		}
		return store.SetMeta(ctx, tx, metaReindex, strconv.FormatInt(since, 10))
	})
	var held *store.LeaseHeldError
	if errors.As(err, &held) {
		return newError(CodeReindexing, "Another reindex is under way. Wait until it is done; one that was killed is over after two minutes.", err)
	}
	r.renewed = r.deps.Now()
	return err
}

// renew keeps the lease, and ends a reindex that has lost it.
func (r *reindex) renew(ctx context.Context) error {
	if r.deps.Now().Sub(r.renewed) < renewAfter {
		return nil
	}
	r.renewed = r.deps.Now()
	return r.deps.DB.Write(ctx, func(tx *store.Tx) error { return store.RenewLease(ctx, tx, leaseName, r.owner, leaseTime) })
}

// name is where the reindex writes.
func (r *reindex) name(firstSeen findings.Time) string {
	return numbered(month(firstSeen), r.number)
}

// clean removes indices that are not in the alias: a reindex that was cut short made them. Then it chooses the number of this one.
func (r *reindex) clean(ctx context.Context) error {
	all, live, err := r.indices(ctx)
	if err != nil {
		return err
	}
	r.number = 2 // The first is made by Step.
	for _, name := range all {
		_, n, _ := parseName(name)
		r.number = max(r.number, n+1)
		if !live[name] {
			if _, err := r.call(ctx, esapi.IndicesDeleteRequest{Index: []string{name}}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// indices returns the names of all indices of months, sorted, and which of them are in the alias.
func (r *reindex) indices(ctx context.Context) (all []string, live map[string]bool, err error) {
	var answer map[string]struct {
		Aliases map[string]struct{} `json:"aliases"`
	}
	if _, err := r.call(ctx, esapi.IndicesGetAliasRequest{Index: []string{alias + "-*"}}, &answer); err != nil {
		return nil, nil, err
	}
	live = map[string]bool{}
	for name, a := range answer {
		if _, _, ok := parseName(name); !ok {
			continue // Not one of ours: it is left alone.
		}
		all = append(all, name)
		if _, ok := a.Aliases[alias]; ok {
			live[name] = true
		}
	}
	slices.Sort(all)
	return all, live, nil
}

// build writes every finding of the store.
func (r *reindex) build(ctx context.Context, report func(done, total int64)) error {
	var total, done, last int64
	if err := r.deps.DB.Read().QueryRowContext(ctx, `SELECT COUNT(*) FROM findings WHERE workspace_id = $1`, store.Workspace).Scan(&total); err != nil {
		return fmt.Errorf("count findings: %w", err)
	}
	for {
		writes, err := r.read(ctx, r.name, &last, `SELECT `+documentSelect+`, f.doc FROM findings f WHERE f.workspace_id = $1 AND f.doc > $2 ORDER BY f.doc LIMIT $3`, store.Workspace, last, maxDocs)
		if err != nil {
			return err
		}
		if err := r.write(ctx, writes); err != nil {
			return err
		}
		done += int64(len(writes))
		if report != nil {
			report(done, max(total, done))
		}
		if len(writes) < maxDocs {
			return nil
		}
	}
}

// catchUp writes what changed after a place in the log, and returns how far it came: the end that the log had.
func (r *reindex) catchUp(ctx context.Context, after int64, name func(findings.Time) string) (int64, error) {
	for {
		end, err := r.batchEnd(ctx, after)
		if err != nil || end == after {
			return after, err
		}
		writes, err := r.changed(ctx, after, end, name)
		if err != nil {
			return after, err
		}
		if err := r.write(ctx, writes); err != nil {
			return after, err
		}
		after = end
	}
}

// write sends documents to the months or, while they are built, to the new indices.
func (r *reindex) write(ctx context.Context, writes []write) error {
	if err := r.renew(ctx); err != nil {
		return err
	}
	var months []string
	for _, name := range indices(writes) {
		if _, _, building := parseName(name); !building {
			months = append(months, name)
		} else if !r.made[name] {
			if _, err := r.call(ctx, esapi.IndicesCreateRequest{Index: name}, nil); err != nil {
				return err
			}
			r.made[name] = true
		}
	}
	if err := r.prepare(ctx, months); err != nil {
		return err
	}
	refused, err := r.send(ctx, writes)
	r.refused += refused
	return err
}

// swap puts the new indices in the place of the old ones, in one call. A Step may have made the first index of a new month meanwhile, also right
// before that call: then the month has two, and it is made again without that one.
func (r *reindex) swap(ctx context.Context) error {
	r.renewed = time.Time{}
	if err := r.renew(ctx); err != nil {
		return err
	}
	built := map[string]bool{}
	for name := range r.made {
		month, _, _ := parseName(name)
		built[month] = true
		// Nothing that was written may be invisible when the old ones go.
		if _, err := r.call(ctx, esapi.IndicesRefreshRequest{Index: []string{name}}, nil); err != nil {
			return err
		}
	}
	for try := range swapTries {
		all, live, err := r.indices(ctx)
		if err != nil {
			return err
		}
		var add, remove []object
		for _, name := range all {
			month, _, _ := parseName(name)
			switch {
			case !r.made[name] && (try == 0 || built[month]):
				remove = append(remove, object{"remove_index": object{"index": name}})
			case r.made[name] && !live[name]:
				add = append(add, into(name, month)...)
			}
		}
		if len(add)+len(remove) == 0 {
			return nil
		}
		if _, err := r.call(ctx, esapi.IndicesUpdateAliasesRequest{Body: body(object{"actions": append(remove, add...)})}, nil); err != nil {
			return err
		}
	}
	return newError(CodeReindexing, "Others keep making indices while the new ones are put in place. Run outband reindex again.", nil)
}
