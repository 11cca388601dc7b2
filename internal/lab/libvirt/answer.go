package libvirt

import "fmt"

// refusal is libvirt's own sentence, which virsh prints after "error: ".
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }
