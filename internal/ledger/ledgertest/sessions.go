package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

func sessionChecks() []check {
	return []check{
		{"SessionIsKeptUntilItEnds", sessionIsKeptUntilItEnds},
		{"UnknownSessionIsNotFound", unknownSessionIsNotFound},
		{"LiveSessionsAreNewestFirst", liveSessionsAreNewestFirst},
		{"OldSessionsAreForgotten", oldSessionsAreForgotten},
		{"LoginCodeWorksOnce", loginCodeWorksOnce},
		{"OneOfManyUsesACode", oneOfManyUsesACode},
	}
}

func signedIn(id string, at time.Time) ledger.Session {
	return ledger.Session{
		ID: id, TokenSHA256: "hash-" + id, Person: "alice", Method: "token", Credential: "c1",
		Roles: []string{"approver", "finance"}, CreatedAt: at, SeenAt: at, ExpiresAt: at.Add(12 * time.Hour),
	}
}

func sessionIsKeptUntilItEnds(t *testing.T, b *bundle) {
	s := signedIn("s1", start())
	require.NoError(t, b.StartSession(b.ctx, s))
	require.Equal(t, fault.Conflict, fault.KindOf(b.StartSession(b.ctx, s)), "an ID and a token are used once")
	again := s
	again.TokenSHA256 = "another"
	require.Equal(t, fault.Conflict, fault.KindOf(b.StartSession(b.ctx, again)), "an ID is used once")
	require.NoError(t, b.SeeSession(b.ctx, "s1", start().Add(time.Minute)))
	s.SeenAt = start().Add(time.Minute)
	got, err := b.reopen(t).SessionOf(b.ctx, "hash-s1")
	require.NoError(t, err)
	require.Equal(t, s, got)
	require.True(t, got.Live(s.ExpiresAt.Add(-1)))
	require.False(t, got.Live(s.ExpiresAt))

	end := start().Add(time.Hour)
	require.NoError(t, b.EndSession(b.ctx, "s1", "root", end))
	require.NoError(t, b.EndSession(b.ctx, "s1", "somebody", end.Add(time.Hour)), "ending again changes nothing")
	got, err = b.SessionOf(b.ctx, "hash-s1")
	require.NoError(t, err)
	require.Equal(t, end, got.EndedAt)
	require.Equal(t, "root", got.EndedBy)
	require.False(t, got.Live(start()))
}

func unknownSessionIsNotFound(t *testing.T, b *bundle) {
	_, err := b.SessionOf(b.ctx, "")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	require.Equal(t, fault.NotFound, fault.KindOf(b.EndSession(b.ctx, "s9", "root", start())))
	require.NoError(t, b.SeeSession(b.ctx, "s9", start()))
	require.Equal(t, fault.Invalid, fault.KindOf(b.StartSession(b.ctx, ledger.Session{ID: "s1"})))
}

func liveSessionsAreNewestFirst(t *testing.T, b *bundle) {
	for i := range 4 {
		require.NoError(t, b.StartSession(b.ctx, signedIn(fmt.Sprint("s", i), start().Add(time.Duration(i)*time.Hour))))
	}
	require.NoError(t, b.EndSession(b.ctx, "s2", "root", start()))
	live, err := b.LiveSessions(b.ctx, start().Add(12*time.Hour))
	require.NoError(t, err)
	require.Len(t, live, 2)
	require.Equal(t, "s3", live[0].ID)
	require.Equal(t, "s1", live[1].ID)
}

func oldSessionsAreForgotten(t *testing.T, b *bundle) {
	require.NoError(t, b.StartSession(b.ctx, signedIn("s1", start())))
	b.clock.advance(30 * 24 * time.Hour)
	require.NoError(t, b.StartSession(b.ctx, signedIn("s2", b.clock.Now())))
	_, err := b.SessionOf(b.ctx, "hash-s1")
	require.NoError(t, err, "it can be asked who was signed in a month ago")
	b.clock.advance(90 * 24 * time.Hour)
	require.NoError(t, b.StartSession(b.ctx, signedIn("s3", b.clock.Now())))
	_, err = b.SessionOf(b.ctx, "hash-s1")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

func loginCodeWorksOnce(t *testing.T, b *bundle) {
	use := func(code string, at time.Time) bool {
		ok, err := b.UseLoginCode(b.ctx, code, at)
		require.NoError(t, err)
		return ok
	}
	require.NoError(t, b.KeepLoginCode(b.ctx, "c1", start().Add(time.Hour)))
	require.False(t, use("c1", start().Add(time.Hour)), "it has expired")
	require.False(t, use("c2", start()), "it is another")
	require.False(t, use("", start()))
	require.True(t, use("c1", start()))
	require.False(t, use("c1", start()), "it was used")

	require.NoError(t, b.KeepLoginCode(b.ctx, "c3", start().Add(time.Hour)))
	require.NoError(t, b.KeepLoginCode(b.ctx, "c4", start().Add(time.Hour)))
	require.False(t, use("c3", start()), "a newer one voids it")
	require.True(t, use("c4", start()))
}

func oneOfManyUsesACode(t *testing.T, b *bundle) {
	require.NoError(t, b.KeepLoginCode(b.ctx, "c1", start().Add(time.Hour)))
	used := make([]bool, 16)
	race(len(used), func(i int) { used[i], _ = b.UseLoginCode(b.ctx, "c1", start()) })
	winners := 0
	for _, ok := range used {
		if ok {
			winners++
		}
	}
	require.Equal(t, 1, winners)
}
