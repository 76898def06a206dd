package slackapproval

import "time"

// SetWithin changes after how long a request is answered at the latest; before
// the first Take.
func (i *Interactions) SetWithin(d time.Duration) { i.within = d }
