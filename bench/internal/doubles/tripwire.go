package doubles

import (
	"net/http"
	"sync"
)

// Tripwire kills a contender at one of its calls: before the double has done
// anything, or after it has and before the contender hears of it. These are the
// moments that matter. The zero value kills nobody.
type Tripwire struct {
	mu    sync.Mutex
	calls int
	left  int
	after bool
	kill  func()
}

// Arm lets the nth call from now kill.
func (t *Tripwire) Arm(n int, after bool, kill func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.after, t.kill = n, after, kill
}

// Disarm takes back what Arm did.
func (t *Tripwire) Disarm() { t.Arm(0, false, nil) }

// step counts a call and returns what kills at it; nil for every other call.
func (t *Tripwire) step() (kill func(), after bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	if t.kill == nil {
		return nil, false
	}
	if t.left--; t.left != 0 {
		return nil, false
	}
	kill, t.kill = t.kill, nil
	return kill, t.after
}

func (t *Tripwire) around(double http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kill, after := t.step()
		if kill == nil {
			double.ServeHTTP(w, r)
			return
		}
		if after {
			double.ServeHTTP(nobody{http.Header{}}, r)
		}
		kill()
		hangUp(w)
	})
}

// nobody takes an answer that never arrives.
type nobody struct{ header http.Header }

func (n nobody) Header() http.Header         { return n.header }
func (n nobody) Write(b []byte) (int, error) { return len(b), nil }
func (n nobody) WriteHeader(int)             {}
