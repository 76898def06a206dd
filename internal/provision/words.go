package provision

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
)

func hours(d time.Duration) string { return fmt.Sprintf("%dh", int64(d/time.Hour)) }

func list(keys []temporal.SearchAttributeKey) string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = key.GetName()
	}
	return strings.Join(names, ", ")
}

// allUnset is a query that names every key.
func allUnset(keys []temporal.SearchAttributeKey) string {
	conditions := make([]string, len(keys))
	for i, key := range keys {
		conditions[i] = key.GetName() + " IS NULL"
	}
	return strings.Join(conditions, " AND ")
}

func attributeCommand(namespace string, keys []temporal.SearchAttributeKey) string {
	var b strings.Builder
	fmt.Fprintf(&b, "temporal operator search-attribute create --namespace %s", namespace)
	for _, key := range keys {
		fmt.Fprintf(&b, " --name %s --type %s", key.GetName(), key.GetValueType())
	}
	b.WriteString(" (in Temporal Cloud: add them to the namespace in its web UI)")
	return b.String()
}
