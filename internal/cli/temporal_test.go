package cli_test

import (
	"context"
	"fmt"
	"net"
	"os"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/rewardflow/rewardflow/workflows"
)

// temporalDouble answers what doctor asks of Temporal: it has the namespace
// default, a worker of this host on the queue busy, and one of another host on
// busy and elsewhere.
type temporalDouble struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer
}

// stingy is a namespace that lacks search attributes and whose client may change
// nothing.
const stingy = "stingy"

// startTemporal serves a double on loopback and returns its address.
func startTemporal(later func(func())) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening: %w", err)
	}
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, temporalDouble{})
	operatorservice.RegisterOperatorServiceServer(server, temporalDouble{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	later(func() { server.Stop(); <-done })
	return listener.Addr().String(), nil
}

func (temporalDouble) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{ServerVersion: "1.32.1"}, nil
}

func (temporalDouble) DescribeNamespace(
	_ context.Context, req *workflowservice.DescribeNamespaceRequest,
) (*workflowservice.DescribeNamespaceResponse, error) {
	if req.GetNamespace() == "locked" {
		return nil, notForYou()
	}
	if req.GetNamespace() != "default" && req.GetNamespace() != stingy {
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound(req.GetNamespace())).Err()
	}
	return &workflowservice.DescribeNamespaceResponse{
		NamespaceInfo: &namespacepb.NamespaceInfo{Name: req.GetNamespace(), State: enumspb.NAMESPACE_STATE_REGISTERED},
	}, nil
}

func (temporalDouble) DescribeTaskQueue(
	_ context.Context, req *workflowservice.DescribeTaskQueueRequest,
) (*workflowservice.DescribeTaskQueueResponse, error) {
	switch req.GetTaskQueue().GetName() {
	case "busy":
	case "elsewhere":
		return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{{Identity: "7@elsewhere@"}}}, nil
	default:
		return &workflowservice.DescribeTaskQueueResponse{}, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{
		{Identity: "7@elsewhere@"}, {Identity: "17@" + host + "@"},
	}}, nil
}

func notForYou() error {
	return serviceerror.ToStatus(serviceerror.NewPermissionDenied("not for you", "")).Err()
}

func (temporalDouble) RegisterNamespace(context.Context, *workflowservice.RegisterNamespaceRequest) (*workflowservice.RegisterNamespaceResponse, error) {
	return nil, notForYou()
}

func (temporalDouble) ListSearchAttributes(
	_ context.Context, req *operatorservice.ListSearchAttributesRequest,
) (*operatorservice.ListSearchAttributesResponse, error) {
	have := map[string]enumspb.IndexedValueType{"RewardStatus": enumspb.INDEXED_VALUE_TYPE_KEYWORD}
	if req.GetNamespace() == "default" {
		for _, key := range workflows.SearchAttributes() {
			have[key.GetName()] = key.GetValueType()
		}
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: have}, nil
}

func (temporalDouble) AddSearchAttributes(context.Context, *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	return nil, notForYou()
}

func (temporalDouble) CreateSchedule(_ context.Context, req *workflowservice.CreateScheduleRequest) (*workflowservice.CreateScheduleResponse, error) {
	if req.GetNamespace() == stingy {
		return nil, notForYou()
	}
	return &workflowservice.CreateScheduleResponse{}, nil
}

func (temporalDouble) DescribeWorkerDeployment(
	context.Context, *workflowservice.DescribeWorkerDeploymentRequest,
) (*workflowservice.DescribeWorkerDeploymentResponse, error) {
	return nil, notForYou()
}
