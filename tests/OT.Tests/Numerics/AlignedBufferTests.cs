using System.Runtime.CompilerServices;
using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

public class AlignedBufferTests
{
    [Fact]
    public void A_buffer_starts_at_its_colour_holds_its_length_and_is_zero()
    {
        for (int colour = 0; colour < 8; colour++)
        {
            foreach (int length in (int[])[0, 1, 31, 512, 5000])
            {
                Check(new AlignedBuffer<double>(length, colour), length, colour);
                Check(new AlignedBuffer<float>(length, colour), length, colour);
            }
        }
    }

    static void Check<T>(AlignedBuffer<T> buffer, int length, int colour)
        where T : unmanaged
    {
        Assert.Equal((length, length), (buffer.Length, buffer.Span.Length));
        Assert.Equal(512 * colour, Place(ref buffer.Start));
        Assert.False(buffer.Span.ContainsAnyExcept(default(T)));
        if (length == 0)
            return;
        Assert.True(Unsafe.AreSame(ref buffer.Start, ref buffer.Span[0]));
        buffer.Span.Clear();
    }

    // The buffer is pinned, so its place can be asked for through a reference to itself.
    static int Place<T>(ref T start) => (int)(Unsafe.ByteOffset(ref Unsafe.NullRef<T>(), ref start) % 4096);

    [Fact]
    public void Rows_at_a_stride_lie_one_colour_apart_and_do_not_overlap()
    {
        foreach (int length in (int[])[1, 32, 511, 512, 513, 5000])
        {
            int doubles = AlignedBuffer<double>.Stride(length),
                floats = AlignedBuffer<float>.Stride(length);
            Assert.True(doubles >= length && floats >= length);
            Assert.Equal(512, doubles * sizeof(double) % 4096);
            Assert.Equal(512, floats * sizeof(float) % 4096);
        }
    }

    [Fact]
    public void Too_long_a_buffer_is_refused_before_it_overflows() =>
        Assert.Throws<OverflowException>(() => new AlignedBuffer<double>(int.MaxValue, 0));
}
