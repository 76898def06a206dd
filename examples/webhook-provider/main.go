// Command webhook-provider is the least that a service needs to be a provider
// of type webhook: it verifies the signature, fulfils each key once, gives the
// same answer to the same request, and answers look-ups. The contract is
// docs/providers/webhook.md. It uses the standard library only.
//
// Its "fulfilment" is a file for each key under ./payouts. A real service has
// a table with the key as its primary key, and inserts the row in the same
// transaction in which it grants the reward.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("TEAM_SECRET"), "whsec_"))
	if err != nil || len(key) < 24 {
		log.Fatal("TEAM_SECRET is not whsec_ and the base64 of at least 24 bytes")
	}
	if err := os.MkdirAll("payouts", 0o700); err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "127.0.0.1:9090", Handler: &receiver{key: key, dir: "payouts"}, ReadTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// receiver fulfils payouts, one at a time.
type receiver struct {
	key []byte
	dir string
	mu  sync.Mutex
}

// ServeHTTP answers POST /... with a payout and GET /.../<key> with its state.
func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil || !s.signed(r.Header, body) {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "the signature is not valid"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.Header.Get("webhook-id")
	known, err := os.ReadFile(s.file(id))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		answer(w, http.StatusInternalServerError, map[string]string{"error": "the books cannot be read"})
	case r.Method == http.MethodGet && path.Base(r.URL.Path) != id:
		answer(w, http.StatusBadRequest, map[string]string{"error": "webhook-id is not the key in the path"})
	case r.Method == http.MethodGet && known == nil:
		answer(w, http.StatusNotFound, map[string]string{"error": "the key is not known"})
	case r.Method == http.MethodGet:
		answer(w, http.StatusOK, map[string]string{"status": "fulfilled", "reference": "example-" + id})
	case r.Method != http.MethodPost:
		answer(w, http.StatusMethodNotAllowed, map[string]string{"error": "only GET and POST are known here"})
	case known != nil && !bytes.Equal(known, body):
		answer(w, http.StatusConflict, map[string]string{"error": "the key is known with another body"})
	default:
		s.fulfil(w, id, body, known != nil)
	}
}

// fulfil grants the reward, unless the key has been granted before.
func (s *receiver) fulfil(w http.ResponseWriter, id string, body []byte, before bool) {
	var message struct {
		Data struct{ Key string }
	}
	if err := json.Unmarshal(body, &message); err != nil || message.Data.Key != id {
		answer(w, http.StatusUnprocessableEntity, map[string]string{"error": "the body has another key than webhook-id"})
		return
	}
	if !before {
		if err := write(s.file(id), body); err != nil {
			// Whether the file is there is not certain: 500 makes rewardflow look it up.
			answer(w, http.StatusInternalServerError, map[string]string{"error": "the books cannot be written"})
			return
		}
	}
	answer(w, http.StatusOK, map[string]string{"status": "fulfilled", "reference": "example-" + id})
}

// signed verifies the Standard Webhooks headers.
func (s *receiver) signed(h http.Header, body []byte) bool {
	seconds, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("webhook-id"), seconds, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for signature := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		if hmac.Equal([]byte(signature), []byte(want)) {
			return true
		}
	}
	return false
}

// file names the file of a key. The hash keeps any key inside the directory.
func (s *receiver) file(id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:])+".json")
}

// write makes a file that is there whole, and on the disk, or not at all.
func write(name string, content []byte) error {
	file, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func answer(w http.ResponseWriter, status int, document map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(document); err != nil {
		log.Print(err)
	}
}
