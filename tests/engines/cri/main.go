// Cri calls one method of a CRI server, with a request in JSON, and prints its answer in JSON:
//
//	cri SOCKET METHOD [REQUEST]      cri /run/containerd/containerd.sock Version '{"version":"v1"}'
//
// It knows nothing of the methods but what Kubernetes' own definition of the interface says. It is a
// module of its own, so that mesoc's has nothing of gRPC.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	_ "k8s.io/cri-api/pkg/apis/runtime/v1" // registers what find looks up
)

// longest is what an answer may take: stopping a pod includes its grace period.
const longest = time.Minute

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return fmt.Errorf("usage: cri SOCKET METHOD [REQUEST]")
	}
	method, err := find(protoreflect.Name(args[1]))
	if err != nil {
		return err
	}
	in, err := message(method.Input())
	if err != nil {
		return err
	}
	if len(args) == 3 {
		if err := protojson.Unmarshal([]byte(args[2]), in); err != nil {
			return fmt.Errorf("read request: %w", err)
		}
	}
	out, err := message(method.Output())
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("unix://"+args[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	path := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
	if err := conn.Invoke(ctx, path, in, out); err != nil {
		return err
	}
	// Zeros too: an exit code of 0 is an answer.
	text, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(out)
	if err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	_, err = fmt.Println(string(text))
	return err
}

// find looks a method up in both services of the interface.
func find(name protoreflect.Name) (protoreflect.MethodDescriptor, error) {
	for _, service := range []protoreflect.FullName{"runtime.v1.RuntimeService", "runtime.v1.ImageService"} {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(service.Append(name))
		if err != nil {
			continue
		}
		if method, ok := d.(protoreflect.MethodDescriptor); ok && !method.IsStreamingServer() && !method.IsStreamingClient() {
			return method, nil
		}
	}
	return nil, fmt.Errorf("find method %s: the interface has none that answers once", name)
}

func message(d protoreflect.MessageDescriptor) (protoreflect.ProtoMessage, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		return nil, fmt.Errorf("make message: %w", err)
	}
	return kind.New().Interface(), nil
}
