package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/rewardflow/rewardflow/internal/encryption"
)

// makeKey says where keys come from.
const makeKey = "what \"rewardflow keys new\" prints: 32 random bytes in base64"

// completeEncryption fills in what needs no saying.
func (c *Config) completeEncryption(d *decoder) {
	e := &c.Encryption
	if len(e.Keys) == 1 && !d.given("encryption.active") {
		e.Active = e.Keys[0].ID
	}
	e.CodecServer.UIOrigin = strings.TrimRight(e.CodecServer.UIOrigin, "/")
}

func (c *Config) validateEncryption(d *decoder) {
	e := c.Encryption
	d.checkKeys(e.Keys)
	switch {
	case !e.On():
		// Half a configuration would encrypt nothing, and nobody would know why.
		if e.Active != "" || e.Ledger || e.CodecServer.UIOrigin != "" || e.CodecServer.UIClientID != "" {
			d.mistake("encryption.keys", "is missing", "a list of keys, [{id: ..., key: ...}]: make one with: rewardflow keys new; leave encryption out for none")
		}
	case e.Active == "":
		d.mistake("encryption.active", "is missing", "the ID of the key that writes; the others only read")
	default:
		ids := make([]string, len(e.Keys))
		for i, k := range e.Keys {
			ids[i] = k.ID
		}
		d.oneOf("encryption.active", e.Active, ids)
	}
	s := e.CodecServer
	if _, port, err := net.SplitHostPort(s.Listen); err != nil {
		d.mistake("encryption.codec_server.listen", "is not host:port", "an address such as 127.0.0.1:8234, or :8234 for every interface")
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		d.mistake("encryption.codec_server.listen", "does not end in a port number", "0 to 65535 after the colon; 0 takes a free port")
	}
	if message := checkOrigin(s.UIOrigin); s.UIOrigin != "" && message != "" {
		d.mistake("encryption.codec_server.ui_origin", message, "what the browser shows before the first slash of the Temporal UI's path, such as https://temporal.example.com; http only on this machine")
	}
	if s.UIClientID != "" && !c.Auth.OIDC.On() {
		d.mistake("encryption.codec_server.ui_client_id", "needs auth.oidc, which says who signs people in", "leave it out, or configure auth.oidc with the issuer that the Temporal UI uses")
	}
}

func (d *decoder) checkKeys(keys []EncryptionKey) {
	var parsed []encryption.Key
	for i, k := range keys {
		key := itemKey("encryption.keys", i)
		if !encryption.ValidID(k.ID) {
			d.mistake(key+".id", "is missing or no ID", "1 to 40 letters, digits, dots, hyphens and underscores: rewardflow keys new prints one")
			continue
		}
		if k.Key == "" {
			d.mistake(key+".key", "is missing", makeKey+"; or a file that holds it, by "+variable(key+".key")+fileSuffix)
			continue
		}
		this, err := encryption.ParseKey(k.ID, k.Key.Reveal())
		if err != nil {
			d.mistake(key+".key", err.Error(), makeKey)
			continue
		}
		for _, other := range parsed {
			switch {
			case other.ID == this.ID:
				d.mistake(key+".id", fmt.Sprintf("%q is the ID of another key", k.ID), "an ID for each key, and never one that was used before")
			case other.Same(this):
				d.mistake(key+".key", fmt.Sprintf("is the key of %q, too", other.ID), "a key of its own for each ID")
			}
		}
		parsed = append(parsed, this)
	}
}

// checkOrigin says what is wrong with an origin.
func checkOrigin(text string) string {
	if message := checkBaseURL(text); message != "" {
		return message
	}
	if u, err := url.Parse(text); err != nil || u.Path != "" {
		return "has a path"
	}
	return ""
}
