namespace OT.IO;

/// <summary>Reads on, and computes the CRC-32 of what was read, which the archive reader of the runtime leaves unchecked.</summary>
internal sealed class CheckedStream(Stream inner) : Stream
{
    static readonly uint[] s_table = Table();

    uint _crc = uint.MaxValue;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => throw new NotSupportedException();
    }

    /// <summary>Reads what is left and returns the checksum of everything.</summary>
    public uint Checksum()
    {
        Span<byte> rest = stackalloc byte[1024];
        while (Read(rest) > 0) { }
        return ~_crc;
    }

    public override int Read(Span<byte> buffer)
    {
        int count = inner.Read(buffer);
        uint crc = _crc;
        foreach (byte value in buffer[..count])
            crc = s_table[(byte)(crc ^ value)] ^ (crc >> 8);
        _crc = crc;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }

    static uint[] Table()
    {
        var table = new uint[256];
        for (uint k = 0; k < table.Length; k++)
        {
            uint entry = k;
            for (int bit = 0; bit < 8; bit++)
                entry = (entry & 1) == 0 ? entry >> 1 : 0xEDB8_8320 ^ (entry >> 1);
            table[k] = entry;
        }
        return table;
    }
}
