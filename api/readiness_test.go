package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
)

// parts is a source of troubles that a test sets.
type parts struct{ found atomic.Pointer[[]api.Trouble] }

func (p *parts) set(t ...api.Trouble) { p.found.Store(&t) }

func (p *parts) Troubles(ctx context.Context) []api.Trouble {
	if _, ok := ctx.Deadline(); !ok {
		return []api.Trouble{{Part: "test", Detail: "a look must end"}}
	}
	if found := p.found.Load(); found != nil {
		return *found
	}
	return nil
}

type degraded struct {
	Part   string
	Detail string
	Since  time.Time
}

type ready struct {
	Ready    bool
	Degraded []degraded
}

func TestReadinessSaysWhatIsDegradedSinceWhen(t *testing.T) {
	t.Parallel()

	var elapsed atomic.Int64
	p := &parts{}
	a := newAPITest(t, func(a *apiTest) {
		a.cfg.Now = func() time.Time { return noon().Add(time.Duration(elapsed.Load())) }
		a.deps.Troubles = []api.Troubles{p, &parts{}}
	})
	look := func(want int) ready {
		elapsed.Add(int64(time.Minute))
		rec := a.do(t, http.MethodGet, "/readyz", "")
		require.Equal(t, want, rec.Code)
		return decode[ready](t, rec)
	}
	require.Equal(t, ready{Ready: true, Degraded: []degraded{}}, look(200))

	p.set(api.Trouble{Part: "worker", Detail: "none"}, api.Trouble{Part: "firstpromoter", Detail: "denied", Since: noon().Add(-time.Hour)})
	want := ready{Ready: true, Degraded: []degraded{
		{"firstpromoter", "denied", noon().Add(-time.Hour)}, {"worker", "none", noon().Add(2 * time.Minute)},
	}}
	require.Equal(t, want, look(200))
	p.set(api.Trouble{Part: "worker", Detail: "still none"})
	want = ready{Ready: true, Degraded: []degraded{{"worker", "still none", noon().Add(2 * time.Minute)}}}
	require.Equal(t, want, look(200), "it began when it was seen first")
	require.Equal(t, want, look(200))
	p.set()
	require.Empty(t, look(200).Degraded)
	p.set(api.Trouble{Part: "worker", Detail: "none"})
	require.Equal(t, noon().Add(6*time.Minute), look(200).Degraded[0].Since, "it began anew")
	require.Equal(t, 3, strings.Count(a.logs.String(), "part.degraded"), "it is logged when it begins")
	require.Equal(t, 2, strings.Count(a.logs.String(), "part.works_again"))
}

func TestReadyWhileTheSpoolTakesEvents(t *testing.T) {
	t.Parallel()

	full := fault.New(fault.Unavailable, "ledger.ping", "the disk is full")
	for name, row := range map[string]struct {
		inbox, spool error
		depth        int
		status       int
		degraded     []string
	}{
		"both":                       {nil, nil, 0, 200, nil},
		"inbox only":                 {nil, fault.New(fault.Unavailable, "spool", "it is full"), 0, 200, nil},
		"both, and some wait":        {nil, nil, 3, 200, []string{"spool: events wait there for the inbox to commit"}},
		"spool only":                 {full, nil, 0, 200, []string{"inbox: it cannot commit: the disk is full"}},
		"spool only, and some wait":  {full, nil, 3, 200, []string{"inbox: it cannot commit: the disk is full", "spool: events wait there for the inbox to commit"}},
		"neither, and why is secret": {full, errors.New("/secret/path"), 0, 503, []string{"inbox: it cannot commit: the disk is full", "spool: it cannot keep events: internal error"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := newAPITest(t, func(a *apiTest) { a.deps.Spool = &spoolDouble{err: row.spool, depth: row.depth} })
			a.ledger.ping = func(context.Context) error { return row.inbox }
			rec := a.do(t, http.MethodGet, "/readyz", "")
			require.Equal(t, row.status, rec.Code)
			var got []string
			for _, d := range decode[ready](t, rec).Degraded {
				got = append(got, d.Part+": "+d.Detail)
			}
			require.Equal(t, row.degraded, got)
		})
	}
}
