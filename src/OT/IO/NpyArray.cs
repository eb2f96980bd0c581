using System.Collections.Immutable;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.IO;

/// <summary>An array as a .npy file holds it: a shape, and numbers in row-major order or one text.</summary>
/// <remarks>Numbers are doubles, or floats where the file holds floats; integers and booleans are widened, exactly up to 2⁵³.</remarks>
public sealed class NpyArray
{
    readonly double[] _doubles = [];
    readonly float[]? _singles;
    readonly long[]? _integers;

    NpyArray(ReadOnlySpan<int> shape) => Shape = [.. shape];

    /// <summary>Wraps doubles, shared and not copied.</summary>
    /// <param name="values">Row-major values.</param>
    /// <param name="shape">Length of each axis; empty for a single number.</param>
    /// <exception cref="ArgumentException">The shape does not hold as many values.</exception>
    public NpyArray(double[] values, params ReadOnlySpan<int> shape)
        : this(shape)
    {
        ArgumentNullException.ThrowIfNull(values);
        CheckLength(values.Length);
        _doubles = values;
    }

    /// <summary>Wraps floats, shared and not copied.</summary>
    /// <inheritdoc cref="NpyArray(double[], ReadOnlySpan{int})"/>
    public NpyArray(float[] values, params ReadOnlySpan<int> shape)
        : this(shape)
    {
        ArgumentNullException.ThrowIfNull(values);
        CheckLength(values.Length);
        _singles = values;
    }

    /// <summary>Wraps 64-bit integers, shared and not copied.</summary>
    /// <inheritdoc cref="NpyArray(double[], ReadOnlySpan{int})"/>
    public NpyArray(long[] values, params ReadOnlySpan<int> shape)
        : this(shape)
    {
        ArgumentNullException.ThrowIfNull(values);
        CheckLength(values.Length);
        _integers = values;
    }

    /// <summary>A matrix of doubles, shared and not copied where it owns its array.</summary>
    public NpyArray(Matrix matrix)
        : this((matrix ?? throw new ArgumentNullException(nameof(matrix))).Values.ToArray(), matrix.Rows, matrix.Columns) { }

    /// <summary>One text, stored as a zero-dimensional Unicode array.</summary>
    public NpyArray(string text)
        : this(ReadOnlySpan<int>.Empty)
    {
        ArgumentNullException.ThrowIfNull(text);
        Text = text;
    }

    /// <summary>Length of each axis; empty for a single value.</summary>
    public ImmutableArray<int> Shape { get; }

    /// <summary>The text, or null when the array holds numbers.</summary>
    public string? Text { get; }

    /// <summary>Whether the values are floats.</summary>
    public bool IsSingle => _singles is not null;

    /// <summary>The values when they are floats, else null. Shared.</summary>
    public float[]? Singles => _singles;

    /// <summary>The values when they are integers, else null. Shared.</summary>
    public long[]? Integers => _integers;

    /// <summary>Number of values.</summary>
    public int Count => _singles?.Length ?? _integers?.Length ?? (Text is null ? _doubles.Length : 1);

    /// <summary>The values as doubles: the array itself where it holds doubles, else a widened copy.</summary>
    /// <exception cref="InvalidDataException">The array holds a text.</exception>
    public double[] ToDoubles()
    {
        if (Text is not null)
            throw new InvalidDataException("The array holds a text, not numbers.");
        if (_singles is null && _integers is null)
            return _doubles;
        var wide = new double[Count];
        if (_singles is not null)
            TensorPrimitives.ConvertTruncating<float, double>(_singles, wide);
        else
            TensorPrimitives.ConvertTruncating<long, double>(_integers!, wide);
        return wide;
    }

    /// <summary>The values as a matrix; one axis gives one column.</summary>
    /// <exception cref="InvalidOperationException">There are more than two axes, or a text.</exception>
    public Matrix ToMatrix() =>
        Shape.Length switch
        {
            0 => new Matrix(1, 1, ToDoubles()),
            1 => new Matrix(Shape[0], 1, ToDoubles()),
            2 => new Matrix(Shape[0], Shape[1], ToDoubles()),
            _ => throw new InvalidDataException($"The array has {Shape.Length} axes: a matrix has two."),
        };

    void CheckLength(int count)
    {
        long expected = 1;
        foreach (int axis in Shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(axis, "shape");
            expected = checked(expected * axis);
        }
        if (expected != count)
            throw new ArgumentException(
                $"The shape ({string.Join(", ", Shape)}) holds {expected} values, not {count}.",
                nameof(count)
            );
    }
}
