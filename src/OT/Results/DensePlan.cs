using OT.Numerics;

namespace OT.Results;

/// <summary>A plan stored as a dense matrix.</summary>
public sealed class DensePlan : TransportPlan
{
    readonly Matrix _values;

    /// <summary>Wraps a matrix of masses, shared.</summary>
    /// <exception cref="ArgumentException">A mass is NaN or infinite.</exception>
    public DensePlan(Matrix values)
    {
        ArgumentNullException.ThrowIfNull(values);
        Guard.Finite(values.Values, nameof(values));
        _values = values;
    }

    /// <inheritdoc/>
    public override int Rows => _values.Rows;

    /// <inheritdoc/>
    public override int Columns => _values.Columns;

    /// <inheritdoc/>
    public override void Row(int row, Span<double> masses) => _values.Row(row).CopyTo(masses);

    /// <inheritdoc/>
    public override Matrix ToDense() => _values;
}
