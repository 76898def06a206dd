package egress

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
)

// TrustForTest makes a client of NewClient trust the given certificates.
func TrustForTest(c *http.Client, roots *x509.CertPool) {
	if t, ok := c.Transport.(*transport); ok {
		t.base.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
}
