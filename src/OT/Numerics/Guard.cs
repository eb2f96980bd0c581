using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace OT.Numerics;

/// <summary>Argument checks for public boundaries: one line each, the throw kept out of line.</summary>
[StackTraceHidden]
internal static class Guard
{
    public static double Positive(double value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value > 0) || double.IsInfinity(value))
            ThrowRange(name, value, "must be positive and finite");
        return value;
    }

    public static double NonNegative(double value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value >= 0) || double.IsInfinity(value))
            ThrowRange(name, value, "must be zero or positive, and finite");
        return value;
    }

    public static double InRange(
        double value,
        double low,
        double high,
        [CallerArgumentExpression(nameof(value))] string name = ""
    )
    {
        if (!(value >= low && value <= high))
            ThrowRange(name, value, string.Create(CultureInfo.InvariantCulture, $"must lie in [{low}, {high}]"));
        return value;
    }

    public static void Index(int index, int count, [CallerArgumentExpression(nameof(index))] string name = "")
    {
        if ((uint)index >= (uint)count)
            ThrowRange(name, index, string.Create(CultureInfo.InvariantCulture, $"must lie in [0, {count})"));
    }

    public static void Length(int actual, int expected, string name)
    {
        if (actual != expected)
            ThrowLength(name, actual, expected);
    }

    /// <summary>Refuses NaN and infinities; the message gives the index and the value.</summary>
    public static void Finite(ReadOnlySpan<double> values, [CallerArgumentExpression(nameof(values))] string name = "")
    {
        // The largest magnitude is NaN where a value is.
        if (values.IsEmpty || double.IsFinite(TensorPrimitives.MaxMagnitude(values)))
            return;
        for (int i = 0; i < values.Length; i++)
        {
            if (!double.IsFinite(values[i]))
                ThrowElement(name, i, values[i], "every value must be finite");
        }
    }

    /// <summary>The product of two counts, refused when an array cannot hold that many elements.</summary>
    public static int ArrayLength(long rows, long columns, string what)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        long length = rows * columns;
        if (length > Array.MaxLength)
            ThrowTooLarge(what, rows, columns);
        return (int)length;
    }

    [DoesNotReturn]
    static void ThrowRange(string name, double value, string rule) =>
        throw new ArgumentOutOfRangeException(
            name,
            string.Create(CultureInfo.InvariantCulture, $"{name} is {value}: it {rule}.")
        );

    [DoesNotReturn]
    static void ThrowLength(string name, int actual, int expected) =>
        throw new ArgumentException(
            string.Create(CultureInfo.InvariantCulture, $"{name} has length {actual}: it must have length {expected}."),
            name
        );

    [DoesNotReturn]
    public static void ThrowElement(string name, long index, double value, string rule) =>
        throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{name}[{index}] is {value}: {rule}."), name);

    [DoesNotReturn]
    static void ThrowTooLarge(string what, long rows, long columns) =>
        throw new ArgumentException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{what} of {rows} x {columns} does not fit in one array: give points (PointCloud) or listed pairs (SparseCost) instead."
            )
        );
}
