using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace OT.Numerics;

/// <summary>Managed memory at a chosen place inside a page. Zero at first; never moved by the collector.</summary>
/// <remarks>
/// A start on a cache line keeps register loads from straddling two. The colour, in steps of 512 bytes, keeps streams that one loop loads and stores apart
/// in the low twelve address bits, by which processors guess that a load depends on a store: equal colours cost a third of a fused kernel's speed.
/// </remarks>
internal sealed class AlignedBuffer<T>
    where T : unmanaged
{
    const int PageBytes = 4096;
    const int ColourBytes = 512;

    readonly T[] _array;
    readonly int _offset;

    /// <summary>A buffer that starts at <c>512 · colour</c> bytes inside a page.</summary>
    public AlignedBuffer(int length, int colour)
    {
        _array = GC.AllocateArray<T>(checked(length + (PageBytes / Unsafe.SizeOf<T>())), pinned: true);
        nint inPage = Marshal.UnsafeAddrOfPinnedArrayElement(_array, 0) % PageBytes;
        nint skip = ((colour * ColourBytes) - inPage + PageBytes) % PageBytes;
        _offset = (int)skip / Unsafe.SizeOf<T>();
        Length = length;
    }

    /// <summary>Number of elements.</summary>
    public int Length { get; }

    /// <summary>All elements.</summary>
    public Span<T> Span => _array.AsSpan(_offset, Length);

    /// <summary>The first element.</summary>
    public ref T Start
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_array), _offset);
    }

    /// <summary>Elements from one row to the next so that each row lies one colour further than the one before.</summary>
    public static int Stride(int length)
    {
        int page = PageBytes / Unsafe.SizeOf<T>();
        return checked(((length + page - 1) / page * page) + (ColourBytes / Unsafe.SizeOf<T>()));
    }
}
