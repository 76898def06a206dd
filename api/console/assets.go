package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var static embed.FS //nolint:gochecknoglobals // Embedding needs a variable; nothing writes it.

// assets are the files that pages load, each under a name that changes with
// its content, so that a browser may keep it for ever.
type assets struct {
	// named are the names in addresses by the names in static.
	named map[string]string
	files map[string][]byte
}

func newAssets() (*assets, error) {
	a := &assets{named: map[string]string{}, files: map[string][]byte{}}
	entries, err := static.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("reading the console's files: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "LICENSE") {
			continue
		}
		data, err := static.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the console's files: %w", err)
		}
		sum := sha256.Sum256(data)
		stem, ext, _ := strings.Cut(e.Name(), ".")
		name := stem + "-" + hex.EncodeToString(sum[:5]) + "." + ext
		a.named[e.Name()], a.files[name] = name, data
	}
	return a, nil
}

// url is where a page loads a file from.
func (a *assets) url(name string) string { return Root + "assets/" + a.named[name] }

func (c *Console) asset(w http.ResponseWriter, r *http.Request, _ visit) error {
	name := r.PathValue("name")
	data, ok := c.assets.files[name]
	if !ok {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return nil
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".js" {
		kind = "text/javascript; charset=utf-8" // Some systems' tables say something else.
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(data)
	return nil
}
