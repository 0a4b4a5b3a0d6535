package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/outband/outband/api"
	"github.com/outband/outband/findings/deliver"
	"github.com/outband/outband/fixtures/claudesim"
	"github.com/outband/outband/internal/config"
	"github.com/outband/outband/internal/store"
)

func demoCommand() *cobra.Command {
	var listen, data string
	var live bool
	cmd := &cobra.Command{
		Use: "demo", Short: "Run the whole loop with a simulated Claude organisation, on loopback only", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), listen, data, live, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address of the API; loopback only")
	cmd.Flags().StringVar(&data, "data", "./.outband-demo", "data folder; remove it to begin anew")
	cmd.Flags().BoolVar(&live, "live", true, "let the simulated organisation go on chatting")
	return cmd
}

const (
	demoSeed  = 1
	demoEvery = "1m" // between two scans
	demoLive  = 5 * time.Second
)

// demoState is what of a demo must survive a restart for the simulated organisation to be the same.
type demoState struct {
	Epoch      time.Time `json:"epoch"`
	Connection string    `json:"connection"`
	Receiver   string    `json:"receiver"`
}

func demo(ctx context.Context, listen, data string, live bool, out io.Writer) (err error) {
	began := time.Now()
	if host, _, err := net.SplitHostPort(listen); err != nil || !net.ParseIP(host).IsLoopback() {
		return codedError{fmt.Errorf("the demo listens on loopback only, not on %q", listen), 2}
	}
	// The demo takes nothing from the environment: it is the same everywhere.
	cfg, err := config.Load(config.Options{Flags: map[string]string{"listen": listen, "data": data, "egress.allow": "127.0.0.0/8", "log.level": "warn"}})
	if err != nil {
		return codedError{err, 2}
	}
	in, err := start(ctx, cfg, newLogger(cfg.Log.Level), true)
	if err != nil {
		return codedError{err, 2}
	}
	d := &demoRun{instance: in, out: out, file: filepath.Join(data, "demo.json")}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		err = errors.Join(err, d.close(ctx), in.stop(ctx))
	}()
	if err := d.prepare(ctx, live); err != nil {
		return err
	}
	if err := d.firstScan(ctx); err != nil {
		return err
	}
	if err := d.report(ctx, time.Since(began)); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-in.failed:
		return err
	}
}

type demoRun struct {
	*instance
	out      io.Writer
	file     string
	state    demoState
	token    string
	link     string // that signs the demo's admin in
	receiver *receiver
	servers  []*http.Server
}

// prepare starts the simulator and the receiver and connects both, through the API as a person would.
func (d *demoRun) prepare(ctx context.Context, live bool) error {
	if err := d.loadState(); err != nil {
		return err
	}
	options := claudesim.Options{Seed: demoSeed, Epoch: d.state.Epoch}
	if live {
		options.Live = demoLive
	}
	sim, err := claudesim.New(options)
	if err != nil {
		return err
	}
	d.state.Epoch = sim.Epoch()
	simURL, err := d.serve(sim)
	if err != nil {
		return err
	}
	d.receiver = &receiver{}
	receiverURL, err := d.serve(d.receiver)
	if err != nil {
		return err
	}
	if err := d.makeAdmin(ctx); err != nil {
		return err
	}
	if err := d.saveState(); err != nil {
		return err
	}
	if err := d.connect(ctx, simURL, receiverURL); err != nil {
		return err
	}
	if err := d.saveState(); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "Outband demo: a made-up organisation, on this machine only. Remove %s to begin anew.\n\n", relative(d.cfg.Data))
	fmt.Fprintf(d.out, "  sign in    %s  (once, within a day)\n\n", d.link)
	fmt.Fprintf(d.out, "  API        %s/api/v1 (document: /api/openapi.json)\n", d.url())
	fmt.Fprintf(d.out, "  token      %s  (admin, for 24 hours)\n", d.token)
	fmt.Fprintf(d.out, "  simulator  %s\n  receiver   %s\n\n", simURL, receiverURL)
	fmt.Fprintf(d.out, "  curl -H 'Authorization: Bearer %s' '%s/api/v1/findings?severity=critical'\n\n", d.token, d.url())
	return nil
}

func (d *demoRun) connect(ctx context.Context, simURL, receiverURL string) error {
	spec := map[string]any{"name": "Demo receiver", "kind": "webhook", "config": map[string]string{"url": receiverURL + "/events", "format": "native", "auth": "standard_webhooks"}}
	if d.state.Receiver == "" {
		var made struct{ ID string }
		if err := d.call(ctx, "POST", "/destinations", spec, &made); err != nil {
			return err
		}
		d.state.Receiver = made.ID
	} else if err := d.call(ctx, "PATCH", "/destinations/"+d.state.Receiver, map[string]any{"config": spec["config"]}, nil); err != nil {
		return err
	}
	sealed, err := store.GetCredential(ctx, d.db.Read(), d.state.Receiver, deliver.FieldSigningKey)
	if err != nil {
		return err
	}
	key, err := d.vault.Unseal(sealed, d.state.Receiver, deliver.FieldSigningKey)
	if err != nil {
		return err
	}
	d.receiver.key = key
	settings := map[string]string{"base_url": simURL, "requests_per_minute": "60000"}
	if d.state.Connection == "" {
		var made struct{ ID string }
		err := d.call(ctx, "POST", "/connections", map[string]any{
			"name": "Demo organisation", "connector": "claude", "config": settings, "secrets": map[string]string{"api_key": claudesim.DemoKey},
			"schedule": map[string]string{"every": demoEvery}, "backfill_from": d.state.Epoch.Add(-31 * 24 * time.Hour).Format(time.RFC3339),
		}, &made)
		d.state.Connection = made.ID
		return err
	}
	return d.call(ctx, "PATCH", "/connections/"+d.state.Connection, map[string]any{"config": settings}, nil)
}

type demoScan struct {
	ID, State    string
	ItemsRead    int64 `json:"items_read"`
	ItemsScanned int64 `json:"items_scanned"`
	ItemsSkipped int64 `json:"items_skipped"`
	FindingsNew  int64 `json:"findings_new"`
	Error        string
}

// firstScan asks for a scan, which is the running or queued one if there is one, and waits for its end.
func (d *demoRun) firstScan(ctx context.Context) error {
	var scan demoScan
	if err := d.call(ctx, "POST", "/connections/"+d.state.Connection+"/scan", nil, &scan); err != nil {
		return err
	}
	for scan.State == store.ScanQueued || scan.State == store.ScanRunning {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
		if err := d.call(ctx, "GET", "/scans/"+scan.ID, nil, &scan); err != nil {
			return err
		}
	}
	if scan.State != store.ScanSucceeded {
		return fmt.Errorf("the demo scan ended as %s: %s", scan.State, scan.Error)
	}
	return nil
}

func (d *demoRun) report(ctx context.Context, took time.Duration) error {
	if ctx.Err() != nil {
		return nil
	}
	scans, items, err := d.totals(ctx)
	if err != nil {
		return err
	}
	var list struct {
		Items []struct {
			Severity, Title string
			PolicyID        string `json:"policy_id"`
			Resource        struct{ Kind, Name string }
			Actor           struct{ Email string }
			InstanceCount   int64 `json:"instance_count"`
		}
	}
	if err := d.call(ctx, "GET", "/findings?limit=10&sort=-severity", nil, &list); err != nil {
		return err
	}
	var facets struct {
		Total int64 `json:"total"`
	}
	if err := d.call(ctx, "GET", "/findings/facets", nil, &facets); err != nil {
		return err
	}
	table := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SEVERITY\tFINDING\tIN\tBY\tINSTANCES")
	for _, f := range list.Items {
		fmt.Fprintf(table, "%s\t%s\t%s %q\t%s\t%d\n", f.Severity, f.Title, f.Resource.Kind, f.Resource.Name, f.Actor.Email, f.InstanceCount)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n%d events delivered to the receiver so far, each with a valid signature: %d. Ctrl-C ends the demo.\n", d.receiver.events.Load(), d.receiver.valid.Load())
	fmt.Fprintf(d.out, "demo ready: scans=%d items=%d findings=%d\n", scans, items, facets.Total)
	d.log.Info("demo ready", "took", took)
	return nil
}

// totals counts the scans that have ended, and the items that were read in all of them.
func (d *demoRun) totals(ctx context.Context) (scans, items int64, err error) {
	var list struct {
		Items      []demoScan
		NextCursor string `json:"next_cursor"`
	}
	for cursor := ""; ; cursor = list.NextCursor {
		list.NextCursor = ""
		if err := d.call(ctx, "GET", "/scans?limit=500&connection_id="+d.state.Connection+"&cursor="+url.QueryEscape(cursor), nil, &list); err != nil {
			return 0, 0, err
		}
		for _, s := range list.Items {
			if s.State == store.ScanSucceeded || s.State == store.ScanPartial {
				scans++
			}
			items += s.ItemsRead
		}
		if list.NextCursor == "" {
			return scans, items, nil
		}
	}
}

// call calls the API as its user would.
func (d *demoRun) call(ctx context.Context, method, path string, body, into any) error {
	var b io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
		b = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.url()+"/api/v1"+path, b)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("call the API: %w", err)
	}
	reply, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("read the API's reply: %w", err)
	}
	if resp.StatusCode >= 300 {
		var problem struct{ Code, Detail string }
		// A reply that is no problem document leaves the status to tell.
		_ = json.Unmarshal(reply, &problem)
		return fmt.Errorf("%s %s: status %d %s %s", method, path, resp.StatusCode, problem.Code, problem.Detail)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(reply, into); err != nil {
		return fmt.Errorf("decode the API's reply to %s %s: %w", method, path, err)
	}
	return nil
}

const demoEmail = "admin@demo.example"

// makeAdmin makes the one user of the demo, a link that signs them in, and a token for programs.
func (d *demoRun) makeAdmin(ctx context.Context) error {
	return d.db.Write(ctx, func(tx *store.Tx) (err error) {
		u, err := store.FindUserByEmail(ctx, tx, demoEmail)
		if errors.Is(err, store.ErrNotFound) {
			u, err = makeUser(ctx, tx, store.User{Email: demoEmail, Name: "Demo admin", Role: store.RoleAdmin})
		}
		if err != nil {
			return err
		}
		if d.link, err = makeLink(ctx, tx, store.LinkSignIn, u.ID, store.SignInLinkLife); err != nil {
			return err
		}
		d.link = api.SignInURL(d.url(), d.link)
		var t store.Token
		if d.token, t, err = store.CreateToken(ctx, tx, "demo", "admin", tx.Now().Add(24*time.Hour)); err != nil {
			return err
		}
		return store.AppendAudit(ctx, tx, "cli", "token.create", t.ID, map[string]string{"role": "admin"})
	})
}

// serve serves a handler on a free port of loopback.
func (d *demoRun) serve(h http.Handler) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	d.servers = append(d.servers, s)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- err
		}
	}()
	return "http://" + l.Addr().String(), nil
}

func (d *demoRun) close(ctx context.Context) (err error) {
	for _, s := range d.servers {
		err = errors.Join(err, s.Close())
	}
	return err
}

func (d *demoRun) loadState() error {
	b, err := os.ReadFile(d.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the state of the demo: %w", err)
	}
	if err := json.Unmarshal(b, &d.state); err != nil {
		return fmt.Errorf("%s cannot be read; remove the folder to begin anew", relative(d.file))
	}
	return nil
}

func (d *demoRun) saveState() error {
	b, err := json.Marshal(d.state)
	if err != nil {
		return fmt.Errorf("encode the state of the demo: %w", err)
	}
	if err := os.WriteFile(d.file+".new", b, 0o600); err != nil {
		return fmt.Errorf("write the state of the demo: %w", err)
	}
	if err := os.Rename(d.file+".new", d.file); err != nil {
		return fmt.Errorf("write the state of the demo: %w", err)
	}
	return nil
}
