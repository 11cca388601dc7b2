package vm

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/lbvm/lbvm/internal/hypervisor"
)

// dosLine writes line i of a label that begins at sector at.
func dosLine(disk []byte, at int64, i int, kind byte, start uint32) {
	label := disk[at*sector:]
	label[510], label[511] = 0x55, 0xaa
	label[446+16*i+4] = kind
	binary.LittleEndian.PutUint32(label[446+16*i+8:], start)
}

// gptDisk is a disk with partitions at those sectors.
func gptDisk(size, sectorSize int, starts ...uint64) []byte {
	disk := make([]byte, size)
	dosLine(disk, 0, 0, 0xee, 1)
	h := disk[sectorSize:]
	copy(h, "EFI PART")
	binary.LittleEndian.PutUint64(h[72:], 2)
	binary.LittleEndian.PutUint32(h[80:], 128)
	binary.LittleEndian.PutUint32(h[84:], 128)
	for i, s := range starts {
		e := disk[2*sectorSize+128*i:]
		e[0] = 0xaf
		binary.LittleEndian.PutUint64(e[32:], s)
	}
	return disk
}

func TestPartitions(t *testing.T) {
	dos := make([]byte, 16*mib)
	dosLine(dos, 0, 0, 0x83, 2048)
	dosLine(dos, 0, 1, 0x05, 8192)
	dosLine(dos, 8192, 0, 0x83, 63) // the first logical one
	dosLine(dos, 8192, 1, 0x05, 4096)
	dosLine(dos, 8192+4096, 0, 0x82, 63)
	loop := make([]byte, 16*mib)
	dosLine(loop, 0, 0, 0x0f, 8192)
	dosLine(loop, 8192, 0, 0x83, 63)
	dosLine(loop, 8192, 1, 0x05, 0xffffffff)
	back := bytes.Clone(loop)
	binary.LittleEndian.PutUint32(back[8192*sector+446+16+8:], 4096)
	dosLine(back, 8192+4096, 0, 0x05, 1)
	bad := gptDisk(mib, 512, 34)
	binary.LittleEndian.PutUint32(bad[512+84:], 0)
	for name, c := range map[string]struct {
		disk []byte
		want []int64
	}{
		"no table":          {make([]byte, mib), nil},
		"short":             {make([]byte, 100), nil},
		"DOS, logical ones": {dos, []int64{2048 * sector, 8192 * sector, 8255 * sector, 12351 * sector}},
		"behind the end":    {loop, []int64{8192 * sector, 8255 * sector}},
		"back in a circle":  {back, []int64{8192 * sector, 8255 * sector}},
		"GPT":               {gptDisk(mib, 512, 2048, 0, 1<<60, 4096), []int64{2048 * 512, 4096 * 512}},
		"GPT, large":        {gptDisk(mib, 4096, 256), []int64{256 * 4096}},
		"GPT, damaged":      {bad, nil},
	} {
		head := c.disk[:min(len(c.disk), mib)]
		if got, err := partitions(bytes.NewReader(c.disk), head); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A superblock anywhere changes when somebody mounts it; the fingerprint sees it in every kind of table.
func TestFingerprintSeesEveryPartition(t *testing.T) {
	dos := make([]byte, 8*mib)
	dosLine(dos, 0, 0, 0x05, 4096)
	dosLine(dos, 4096, 0, 0x83, 2048)
	for name, c := range map[string]struct {
		disk []byte
		at   int
	}{
		"GPT": {gptDisk(8*mib, 512, 8192), 8192*512 + 1024}, "GPT, large": {gptDisk(8*mib, 4096, 1024), 1024*4096 + 1024},
		"logical": {dos, (4096+2048)*sector + 1024},
	} {
		path := filepath.Join(t.TempDir(), "disk")
		sum := func() string {
			if err := os.WriteFile(path, c.disk, 0o600); err != nil {
				t.Fatal(err)
			}
			return fp(t, "", false, hypervisor.Witness{Path: path, Block: true})
		}
		before := sum()
		if c.disk[c.at] ^= 1; sum() == before {
			t.Errorf("%s: not seen", name)
		}
	}
}

func FuzzPartitions(f *testing.F) {
	f.Add(gptDisk(mib/8, 512, 40, 99))
	f.Add(gptDisk(mib/8, 4096, 9))
	dos := make([]byte, 16*sector)
	dosLine(dos, 0, 0, 0x05, 4)
	dosLine(dos, 4, 0, 0x83, 1)
	dosLine(dos, 4, 1, 0x05, 4)
	dosLine(dos, 8, 1, 0x05, 4)
	f.Add(dos)
	f.Fuzz(func(t *testing.T, disk []byte) {
		got, err := partitions(bytes.NewReader(disk), disk)
		if err != nil || len(got) > 2*mostPartitions {
			t.Errorf("%d, %v", len(got), err)
		}
		for _, at := range got {
			if at <= 0 {
				t.Errorf("at %d", at)
			}
		}
	})
}
