package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// maxHistoryShards is as many as the embedded engine takes.
const maxHistoryShards = 4096

// validateEngine checks the embedded engine's keys. No message repeats the URL.
func (c *Config) validateEngine(d *decoder) {
	const allowed = EngineSQLite + ", or a URL such as postgres://user:password@host:5432/temporal"
	if text := c.Engine.Database.Reveal(); text != EngineSQLite {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql":
			d.mistake("engine.database", "is not a database that the embedded engine knows", allowed)
		case !regexp.MustCompile(`^/[A-Za-z][A-Za-z0-9_]{0,39}$`).MatchString(u.Path):
			d.mistake("engine.database", "does not end in the name of a database", "up to 40 letters, digits and _ after the last slash, beginning with a letter")
		case sameDatabase(c.Database.Reveal(), u):
			d.mistake("engine.database", "is the ledger's database", "another database, which Temporal's tables have for themselves")
		}
	}
	if n := c.Engine.HistoryShards; n < 1 || n > maxHistoryShards {
		d.mistake("engine.history_shards", fmt.Sprintf("%d is out of range", n), fmt.Sprintf("1 to %d", maxHistoryShards))
	}
}

// validateDeployment checks what names a version of the workers.
func (c *Config) validateDeployment(d *decoder) {
	name := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)
	build := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$`)
	if t := c.Temporal; t.Deployment != "" && !name.MatchString(t.Deployment) {
		d.mistake("temporal.deployment", "is not a name for a worker deployment", "up to 100 letters, digits, - and _")
	}
	switch t := c.Temporal; {
	case t.BuildID != "" && t.Deployment == "":
		d.mistake("temporal.build_id", "means nothing without temporal.deployment", "nothing, or a deployment as well")
	case t.BuildID != "" && !build.MatchString(t.BuildID):
		d.mistake("temporal.build_id", "is not a name for a build", "up to 100 letters, digits, - _ . and +")
	}
}

// sameDatabase reports whether the ledger's database is the engine's, or the one
// that the engine has beside it.
func sameDatabase(ledger string, engine *url.URL) bool {
	u, err := url.Parse(ledger)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, engine.Host) && (u.Path == engine.Path || u.Path == engine.Path+"_visibility")
}
