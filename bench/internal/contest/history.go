package contest

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// sampled is how many histories are read.
const sampled = 20

// histories returns how many actions and events a reward's workflow has, on
// average over the last few rewards.
func histories(ctx context.Context, address, prefix string, ids []int64) (actions, events float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{HostPort: address, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return 0, 0, fmt.Errorf("reading histories: %w", err)
	}
	defer c.Close()
	ids = ids[max(0, len(ids)-sampled):]
	for _, id := range ids {
		workflow := prefix + strconv.FormatInt(id, 10)
		// The close is an effect of a task that is answered after it.
		if err := c.GetWorkflow(ctx, workflow, "").Get(ctx, nil); err != nil {
			return 0, 0, fmt.Errorf("waiting for workflow %s: %w", workflow, err)
		}
		var history []*historypb.HistoryEvent
		for pages := c.GetWorkflowHistory(ctx, workflow, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); pages.HasNext(); {
			event, err := pages.Next()
			if err != nil {
				return 0, 0, fmt.Errorf("reading the history of %s: %w", workflow, err)
			}
			history = append(history, event)
		}
		actions += float64(billed(history))
		events += float64(len(history))
	}
	return actions / float64(len(ids)), events / float64(len(ids)), nil
}

// billed counts the actions of a history by Temporal Cloud's list
// (https://docs.temporal.io/cloud/actions), as far as the contenders have them:
// the start, each try of an activity, a timer, a signal, an update, an upsert of
// search attributes, and all markers of one workflow task together.
func billed(history []*historypb.HistoryEvent) int {
	actions, marked := 0, map[int64]bool{}
	for _, e := range history {
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
			enumspb.EVENT_TYPE_TIMER_STARTED,
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
			enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
			actions++
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			actions += int(e.GetActivityTaskStartedEventAttributes().GetAttempt())
		case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
			actions += 2
		case enumspb.EVENT_TYPE_MARKER_RECORDED:
			marked[e.GetMarkerRecordedEventAttributes().GetWorkflowTaskCompletedEventId()] = true
		}
	}
	return actions + len(marked)
}
