package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

// The service of a grpcPeer.
const (
	grpcService = "bench.Echo"
	grpcAsk     = "/" + grpcService + "/Ask"
	grpcTold    = "/" + grpcService + "/Told"
	grpcTells   = "/" + grpcService + "/Tells"
)

// grpcPeer is grpc-go with its default options, without TLS and without
// protobuf: bodies pass through the codec as they are. Tells are the messages of
// a client stream.
type grpcPeer struct{}

var (
	_ Remote       = grpcPeer{}
	_ RemoteTeller = grpcPeer{}
)

// Serve serves the service until stop is called.
func (grpcPeer) Serve(_ context.Context, listen string) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, err
	}
	s := grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}))
	s.RegisterService(grpcDesc(), &grpcServer{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l) // nil after Stop
	}()
	return l.Addr().String(), func() {
		s.Stop()
		<-ended
	}, nil
}

// Dial opens one ClientConn, which is one connection.
func (grpcPeer) Dial(addr string) (Client, error) { return dialGRPC(addr) }

// DialTeller opens one ClientConn and one stream.
func (grpcPeer) DialTeller(addr string) (Teller, error) {
	c, err := dialGRPC(addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	tells, err := c.NewStream(ctx, tellsDesc(), grpcTells)
	if err != nil {
		cancel()
		c.Close()
		return nil, err
	}
	return &grpcTeller{c, tells, cancel}, nil
}

// A grpcServer counts tells.
type grpcServer struct{ told atomic.Uint64 }

func grpcDesc() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: grpcService,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Ask", Handler: handleAsk},
			{MethodName: "Told", Handler: handleTold},
		},
		Streams: []grpc.StreamDesc{*tellsDesc()},
	}
}

func tellsDesc() *grpc.StreamDesc {
	return &grpc.StreamDesc{StreamName: "Tells", Handler: handleTells, ClientStreams: true}
}

func handleAsk(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	body := new([]byte)
	return body, decode(body)
}

func handleTold(srv any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	body := new([]byte)
	if err := decode(body); err != nil {
		return nil, err
	}
	*body = binary.LittleEndian.AppendUint64(nil, srv.(*grpcServer).told.Load())
	return body, nil
}

func handleTells(srv any, s grpc.ServerStream) error {
	var body []byte
	for {
		err := s.RecvMsg(&body)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		srv.(*grpcServer).told.Add(1)
	}
}

type grpcClient struct{ *grpc.ClientConn }

func dialGRPC(addr string) (grpcClient, error) {
	cc, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{})))
	return grpcClient{cc}, err
}

func (c grpcClient) Ask(ctx context.Context, req []byte) ([]byte, error) {
	return c.AskInto(ctx, req, nil)
}

func (c grpcClient) AskInto(ctx context.Context, req, buf []byte) ([]byte, error) {
	err := c.Invoke(ctx, grpcAsk, &req, &buf)
	return buf, err
}

func (c grpcClient) Close() { _ = c.ClientConn.Close() }

type grpcTeller struct {
	grpcClient
	tells  grpc.ClientStream
	cancel context.CancelFunc
}

// Tell copies body: the transport sends it later.
func (t *grpcTeller) Tell(_ context.Context, body []byte) error {
	body = bytes.Clone(body)
	return t.tells.SendMsg(&body)
}

func (t *grpcTeller) Told(ctx context.Context) (uint64, error) {
	var req, count []byte
	if err := t.Invoke(ctx, grpcTold, &req, &count); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(count), nil
}

func (t *grpcTeller) Close() {
	t.cancel()
	t.grpcClient.Close()
}

// bytesCodec passes bodies, of type *[]byte, through.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "bytes" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	body, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("bytes codec: %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*body)}, nil
}

// Unmarshal reuses the array of *v if the body fits.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	body, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("bytes codec: %T", v)
	}
	if data.Len() > cap(*body) {
		*body = make([]byte, data.Len())
	}
	*body = (*body)[:data.Len()]
	data.CopyTo(*body)
	return nil
}
