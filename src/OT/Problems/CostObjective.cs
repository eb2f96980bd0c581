using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Problems;

/// <summary><c>⟨C, P⟩ + (γ/2) Σ P² + ε KL(P | a ⊗ b)</c>, the second and third terms where asked for.</summary>
internal sealed class CostObjective : TransportObjective
{
    readonly double[] _costs;
    readonly bool[]? _forbidden;

    public CostObjective(Geometry costs)
        : base(Checked(costs).Rows, costs.Columns)
    {
        CostMatrix table = costs as CostMatrix ?? CostMatrix.From(costs);
        _costs = (table.Doubles ?? CostMatrix.From(new CostSum((1, table))).Doubles!).AsSpan().ToArray();
        if (table.HasForbiddenPairs)
        {
            _forbidden = Array.ConvertAll(_costs, double.IsPositiveInfinity);
            for (int k = 0; k < _costs.Length; k++)
                _costs[k] = _forbidden[k] ? 0 : _costs[k];
        }
    }

    static Geometry Checked(Geometry costs)
    {
        ArgumentNullException.ThrowIfNull(costs);
        return costs;
    }

    public double Gamma { get; init; }

    public double Epsilon { get; init; }

    /// <summary>log a, log b and the mass of a ⊗ b.</summary>
    public (double[] A, double[] B, double Mass) LogReference { get; init; } = ([], [], 0);

    public override bool IsConvex => true;

    /// <summary>ε KL is ε times the entropy; γ/2 P² has no such bound that is worth having.</summary>
    public override double LargestStep => Epsilon > 0 ? 1 / Epsilon : double.PositiveInfinity;

    public override bool HasForbiddenPairs => _forbidden is not null;

    public override bool IsForbidden(int row, int column) => _forbidden is not null && _forbidden[((long)row * Columns) + column];

    public override double Value(ReadOnlySpan<double> plan)
    {
        double value = Summation.Dot(plan, _costs);
        if (Gamma > 0)
            value += Gamma / 2 * Summation.Dot(plan, plan);
        if (Epsilon == 0)
            return value;
        Compensated entropy = default;
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                double p = plan[(i * Columns) + j];
                if (p > 0)
                    entropy.Add(p * (Math.Log(p) - LogReference.A[i] - LogReference.B[j] - 1));
            }
        }
        entropy.Add(LogReference.Mass);
        return value + (Epsilon * entropy.Value);
    }

    public override void Gradient(ReadOnlySpan<double> plan, Span<double> gradient)
    {
        if (Epsilon > 0)
        {
            // Masses below the smallest normal double count as that: the logarithm stays finite, and no value moves by more than 1e-304.
            VectorMath.Log(plan, gradient);
            for (int i = 0; i < Rows; i++)
            {
                Span<double> row = gradient.Slice(i * Columns, Columns);
                TensorPrimitives.Subtract(row, LogReference.A[i], row);
                TensorPrimitives.Subtract(row, LogReference.B, row);
            }
            TensorPrimitives.MultiplyAdd(gradient, Epsilon, _costs, gradient);
        }
        else
        {
            _costs.CopyTo(gradient);
        }
        if (Gamma > 0)
            TensorPrimitives.MultiplyAdd(plan, Gamma, gradient, gradient);
    }
}
