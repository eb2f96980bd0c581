using System.Buffers;
using System.Diagnostics;
using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace OT.Numerics;

/// <summary>Sorts finite doubles by counting digits instead of comparing; zeros of either sign are equal.</summary>
/// <remarks>
/// O(n). Values are laid on even cells between the smallest and the largest, two or three stable counting passes sort the cells, and an insertion what shares a
/// cell, mostly nothing. Values that crowd in few cells are laid on the leading bits of their own numbers instead; where these crowd too, all bits are
/// counted. Scratch memory is pooled. Source: MacLaren, Internal sorting by radix plus sifting, J. ACM 13, 1966.
/// </remarks>
internal static class RadixSort
{
    const int Digit = 11;
    const int Bins = 1 << Digit;
    const int LeadingPasses = 3;
    const int FewerPasses = 1 << 21; // elements to whom the cells of two passes are enough
    const int MovesPerElement = 4; // those of an insertion; more of them cost as much as another pass
    const int Small = 100; // elements that are compared at once

    // An item of an order: 33 bits of a cell or of a value, and below them its index.
    const int IndexBits = 64 - (LeadingPasses * Digit);
    const ulong IndexMask = (1UL << IndexBits) - 1;

    /// <summary>Sorts in place, smallest first.</summary>
    public static void Sort(Span<double> values)
    {
        int n = values.Length;
        if (n <= Small)
        {
            values.Sort();
            return;
        }
        double[] rented = ArrayPool<double>.Shared.Rent(n);
        Span<double> scratch = rented.AsSpan(0, n);
        Span<double> items = values;
        int passes = Passes(n);
        bool sorted =
            Count(ref items, ref scratch, new Cells(values, passes * Digit), 0, passes, evenly: true)
            && Insert(items, MovesPerElement);
        if (items != values)
            items.CopyTo(values);
        if (!sorted)
            SortBits(MemoryMarshal.Cast<double, ulong>(values), MemoryMarshal.Cast<double, ulong>(rented.AsSpan(0, n)));
        ArrayPool<double>.Shared.Return(rented);
    }

    static void SortBits(Span<ulong> values, Span<ulong> scratch)
    {
        foreach (ref ulong value in values)
            value = Key(value);
        Span<ulong> items = values;
        Count(ref items, ref scratch, default(Bits), IndexBits, LeadingPasses);
        if (!Insert(items, MovesPerElement))
        {
            Count(ref items, ref scratch, default(Bits), 0, LeadingPasses);
            Count(ref items, ref scratch, default(Bits), IndexBits, LeadingPasses);
        }
        for (int i = 0; i < values.Length; i++)
            values[i] = (long)items[i] < 0 ? items[i] ^ (1UL << 63) : ~items[i];
    }

    /// <summary>The indices of the values in ascending order; equal values keep the order of their indices.</summary>
    public static int[] Order(ReadOnlySpan<double> values)
    {
        int[] order = GC.AllocateUninitializedArray<int>(values.Length);
        Order(values, order);
        return order;
    }

    /// <inheritdoc cref="Order(ReadOnlySpan{double})"/>
    public static void Order(ReadOnlySpan<double> values, Span<int> order)
    {
        Debug.Assert(values.Length == order.Length);
        int n = values.Length;
        ulong[] first = ArrayPool<ulong>.Shared.Rent(n);
        ulong[] second = ArrayPool<ulong>.Shared.Rent(n);
        Span<ulong> items = first.AsSpan(0, n);
        Span<ulong> others = second.AsSpan(0, n);
        if (n <= Small)
        {
            for (int i = 0; i < n; i++)
                items[i] = (uint)i;
            Insert(items, values, Small);
        }
        else
        {
            var cells = new Cells(values, LeadingPasses * Digit);
            for (int i = 0; i < n; i++)
                items[i] = (cells.Of(values[i]) << IndexBits) | (uint)i;
            int passes = Passes(n);
            bool sorted =
                Count(ref items, ref others, default(Bits), 64 - (passes * Digit), passes, evenly: true)
                && Insert(items, values, MovesPerElement);
            if (!sorted)
                OrderBits(ref items, ref others, values);
        }
        for (int i = 0; i < n; i++)
            order[i] = Index(items[i]);
        ArrayPool<ulong>.Shared.Return(first);
        ArrayPool<ulong>.Shared.Return(second);
    }

    static void OrderBits(ref Span<ulong> items, ref Span<ulong> others, ReadOnlySpan<double> values)
    {
        foreach (ref ulong item in items)
            item = (Key(values, item) & ~IndexMask) | (item & IndexMask);
        Count(ref items, ref others, default(Bits), IndexBits, LeadingPasses);
        if (Insert(items, values, MovesPerElement))
            return;
        foreach (ref ulong item in items)
            item = (Key(values, item) << (64 - IndexBits)) | (item & IndexMask);
        Count(ref items, ref others, default(Bits), IndexBits, LeadingPasses);
        foreach (ref ulong item in items)
            item = (Key(values, item) & ~IndexMask) | (item & IndexMask);
        Count(ref items, ref others, default(Bits), IndexBits, LeadingPasses);
    }

    static int Passes(int count) => count <= FewerPasses ? LeadingPasses - 1 : LeadingPasses;

    /// <summary>Stable counting passes over digits, the one that begins at bit <paramref name="low"/> first, to and fro between two spans.</summary>
    /// <param name="items">What to sort; what was sorted.</param>
    /// <param name="others">As much memory.</param>
    /// <param name="image">Where the digits are.</param>
    /// <param name="low">The lowest bit of the lowest digit.</param>
    /// <param name="passes">How many digits.</param>
    /// <param name="evenly">Whether to do nothing and return false where images crowd so much that an insertion would take long.</param>
    static bool Count<T, TImage>(ref Span<T> items, ref Span<T> others, TImage image, int low, int passes, bool evenly = false)
        where TImage : struct, IImage<T>
    {
        Span<int> counts = stackalloc int[2 * Bins];
        Span<int> lastCounts = counts[Bins..];
        counts = counts[..Bins];
        int last = low + ((passes - 1) * Digit);
        lastCounts.Clear();
        Count(items, image, last, lastCounts);
        if (evenly)
        {
            // c images that lie evenly on s cells cost about c²/4s moves.
            double squares = 0;
            foreach (int count in lastCounts)
                squares += (double)count * count;
            if (squares > 4.0 * MovesPerElement * items.Length * (1L << (last - low)))
                return false;
        }
        for (; low <= last; low += Digit)
        {
            Span<int> places = low == last ? lastCounts : counts;
            if (low < last)
            {
                places.Clear();
                Count(items, image, low, places);
            }
            int before = 0;
            foreach (ref int place in places)
                (place, before) = (before, before + place);
            Place(items, image, low, places, others);
            Span<T> placed = others;
            others = items;
            items = placed;
        }
        return true;
    }

    // Neither loop is inlined: in a method that calls others the compiler keeps the image in memory, which takes twice the time.
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Count<T, TImage>(ReadOnlySpan<T> items, TImage image, int low, Span<int> counts)
        where TImage : struct, IImage<T>
    {
        ref int count = ref MemoryMarshal.GetReference(counts);
        foreach (T item in items)
            Unsafe.Add(ref count, (nint)((image.Of(item) >> low) & (Bins - 1)))++;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Place<T, TImage>(ReadOnlySpan<T> items, TImage image, int low, Span<int> places, Span<T> target)
        where TImage : struct, IImage<T>
    {
        ref int place = ref MemoryMarshal.GetReference(places);
        ref T first = ref MemoryMarshal.GetReference(target);
        foreach (T item in items)
            Unsafe.Add(ref first, Unsafe.Add(ref place, (nint)((image.Of(item) >> low) & (Bins - 1)))++) = item;
    }

    /// <summary>Insertion sort; false, with the items in some order, when it would take more moves.</summary>
    static bool Insert<T>(Span<T> items, int movesPerElement)
        where T : unmanaged, IComparisonOperators<T, T, bool>
    {
        long moves = (long)movesPerElement * items.Length;
        ref T item = ref MemoryMarshal.GetReference(items);
        for (int i = 1; i < items.Length; i++)
        {
            T moving = Unsafe.Add(ref item, i);
            int at = i;
            for (; at > 0 && Unsafe.Add(ref item, at - 1) > moving; at--)
                Unsafe.Add(ref item, at) = Unsafe.Add(ref item, at - 1);
            if (at == i)
                continue;
            Unsafe.Add(ref item, at) = moving;
            moves -= i - at;
            if (moves < 0)
                return false;
        }
        return true;
    }

    /// <summary>Insertion sort of items by their bits and, where these are the same, by the values that they point at.</summary>
    static bool Insert(Span<ulong> items, ReadOnlySpan<double> values, int movesPerElement)
    {
        long moves = (long)movesPerElement * items.Length;
        for (int i = 1; i < items.Length; i++)
        {
            ulong moving = items[i];
            int at = i;
            for (; at > 0 && IsAfter(items[at - 1], moving, values); at--)
                items[at] = items[at - 1];
            if (at == i)
                continue;
            items[at] = moving;
            moves -= i - at;
            if (moves < 0)
                return false;
        }
        return true;
    }

    static bool IsAfter(ulong item, ulong other, ReadOnlySpan<double> values)
    {
        ulong bits = item & ~IndexMask,
            otherBits = other & ~IndexMask;
        return bits > otherBits || (bits == otherBits && values[Index(item)] > values[Index(other)]);
    }

    static int Index(ulong item) => (int)(item & IndexMask);

    static ulong Key(ReadOnlySpan<double> values, ulong item) => Key(BitConverter.DoubleToUInt64Bits(values[Index(item)]));

    /// <summary>The bits of a double as an integer of the same order; −0 as +0.</summary>
    static ulong Key(ulong bits) => bits == 1UL << 63 ? bits : bits ^ ((ulong)((long)bits >> 63) | (1UL << 63));

    /// <summary>An integer that never falls where an item grows.</summary>
    interface IImage<T>
    {
        ulong Of(T item);
    }

    readonly struct Bits : IImage<ulong>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ulong Of(ulong item) => item;
    }

    /// <summary>Which of 2^bits even cells between the smallest and the largest value one lies in; higher bits mean nothing.</summary>
    readonly struct Cells : IImage<double>
    {
        const double Integers = 1L << 52; // adding it leaves a rounded number in the low bits of the sum

        readonly double _least;
        readonly double _scale;

        /// <summary>A spread that overflows, or that is too small for its inverse, leaves everything in one cell.</summary>
        public Cells(ReadOnlySpan<double> values, int bits)
        {
            _least = TensorPrimitives.Min(values);
            double scale = ((1L << bits) - 1) / (TensorPrimitives.Max(values) - _least);
            _scale = double.IsFinite(scale) ? scale : 0;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ulong Of(double value) => BitConverter.DoubleToUInt64Bits(((value - _least) * _scale) + Integers);
    }
}
