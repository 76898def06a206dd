package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.yaml.in/yaml/v3"

	"github.com/rewardflow/rewardflow/api/console"
)

//go:embed openapi.yaml
var openAPISource []byte //nolint:gochecknoglobals // Embedding needs a variable; nothing writes it.

// openAPIDocument returns the description of the surface as JSON.
func openAPIDocument() ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal(openAPISource, &document); err != nil {
		return nil, fmt.Errorf("reading openapi.yaml: %w", err)
	}
	out, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("turning openapi.yaml into JSON: %w", err)
	}
	return out, nil
}

func showDocument(document []byte) handler {
	return func(c *gin.Context) error {
		c.Data(http.StatusOK, "application/json", document)
		return nil
	}
}

// showStart leads people to the console, and tells programs what they found.
func showStart(version string) handler {
	return func(c *gin.Context) error {
		c.Header("Vary", "Accept")
		if wantsPage(c.Request) {
			c.Redirect(http.StatusSeeOther, console.Root)
			return nil
		}
		c.JSON(http.StatusOK, gin.H{
			"name":    "rewardflow",
			"version": version,
			"links": gin.H{
				"console":   console.Root,
				"rewards":   "/api/v1/rewards",
				"approvals": "/api/v1/approvals",
				"brake":     "/api/v1/brake",
				"summary":   "/api/v1/summary",
				"events":    "/api/v1/events",
				"openapi":   "/api/v1/openapi.json",
				"live":      livezPath,
				"ready":     readyzPath,
				"metrics":   metricsPath,
			},
		})
		return nil
	}
}
