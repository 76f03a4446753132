package eventloop

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/wire"
)

func TestZeroOptionsWork(t *testing.T) {
	o, err := Options{}.withDefaults()
	must(t, err)
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "Hello", "Load", "IdleClose": // zero means something
		default:
			if v.Field(i).IsZero() {
				t.Errorf("%s has no default", name)
			}
		}
	}
	if o.Loops > runtime.GOMAXPROCS(0) || o.HardLimit < o.SoftLimit || o.StallTimeout != 10*time.Second {
		t.Errorf("defaults are %+v", o)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	bad := map[string]Options{
		"Loops":            {Loops: -1},
		"MaxHandshakes":    {MaxHandshakes: -1},
		"MaxConns":         {MaxConns: -1},
		"SoftLimit":        {SoftLimit: -1},
		"HardLimit":        {HardLimit: -1},
		"HandshakeTimeout": {HandshakeTimeout: -1},
		"ConnectTimeout":   {ConnectTimeout: -1},
		"StallTimeout":     {StallTimeout: -1},
		"FrameTimeout":     {FrameTimeout: -1},
		"PingAfter":        {PingAfter: -1},
		"DeadAfter":        {DeadAfter: -1},
		"IdleClose":        {IdleClose: -1},
		"Backoff":          {Backoff: Backoff{Factor: -1}},
		"HELLO":            {Hello: wire.Hello{MaxFrame: 1}},
	}
	for name, o := range bad {
		_, err := NewTCP(&funcs{}, o)
		isCode(t, err, posthaste.InvalidArgument)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error does not name it: %v", name, err)
		}
		_, err = NewNetwork().Transport(&funcs{}, o)
		isCode(t, err, posthaste.InvalidArgument)
	}
	_, err := NewTCP(nil, Options{})
	isCode(t, err, posthaste.InvalidArgument)
}

func TestSetHello(t *testing.T) {
	each(t, func(t *testing.T, f fabric) {
		opened := make(chan *Conn, 1)
		_, ep := f.serve(t, &funcs{opened: func(c *Conn) { opened <- c }}, Options{})
		tr := f.open(t, &funcs{}, Options{Hello: wire.Hello{Node: "before"}})
		must(t, tr.SetHello(wire.Hello{Node: "after", Advertise: "mem:me"}))
		isCode(t, tr.SetHello(wire.Hello{MaxFrame: 1}), posthaste.InvalidArgument)
		dial(t, tr, ep)
		if c := await(t, "Opened", opened); c.Peer().Node != "after" || c.Remote() != mem("me") {
			t.Errorf("the peer is %v at %v", c.Peer(), c.Remote())
		}
	})
}
