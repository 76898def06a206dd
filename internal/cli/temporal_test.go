package cli_test

import (
	"context"
	"fmt"
	"net"
	"os"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// temporalDouble answers what doctor asks of Temporal: it has the namespace
// default, a worker of this host on the queue busy, and one of another host on
// busy and elsewhere.
type temporalDouble struct {
	workflowservice.UnimplementedWorkflowServiceServer
}

// startTemporal serves a double on loopback and returns its address.
func startTemporal(later func(func())) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening: %w", err)
	}
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, temporalDouble{})
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
	if req.GetNamespace() != "default" {
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound(req.GetNamespace())).Err()
	}
	return &workflowservice.DescribeNamespaceResponse{
		NamespaceInfo: &namespacepb.NamespaceInfo{Name: "default", State: enumspb.NAMESPACE_STATE_REGISTERED},
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
