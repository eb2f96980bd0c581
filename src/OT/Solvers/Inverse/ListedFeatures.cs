using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Inverse;

/// <summary>Terms given as geometries, less their means under a and b: p (n + m) numbers are kept.</summary>
internal sealed class ListedFeatures : FeatureSet
{
    readonly ListedDictionary _dictionary;
    readonly double[][] _rowMeans;
    readonly double[][] _columnMeans; // less the mean of all
    readonly double[] _raw;
    readonly double[] _centred;

    public ListedFeatures(ListedDictionary dictionary, Measure a, Measure b, int threads, CancellationToken cancellation)
        : base(dictionary.Count, a, b)
    {
        _dictionary = dictionary;
        int n = a.Count,
            m = b.Count;
        (_rowMeans, _columnMeans) = (new double[Count][], new double[Count][]);
        (_raw, _centred) = (new double[Count], new double[Count]);
        for (int k = 0; k < Count; k++)
        {
            Geometry term = dictionary.Terms[k];
            double[] rowMeans = _rowMeans[k] = new double[n],
                rowRaw = new double[n];
            _columnMeans[k] = RowReduction.Sum(
                n,
                m,
                m,
                threads,
                (i, row, sum) =>
                {
                    term.CostRow(i, row);
                    rowRaw[i] = Math.Abs(TensorPrimitives.MaxMagnitude<double>(row));
                    rowMeans[i] = TensorPrimitives.Dot(row, b.Weights);
                    TensorPrimitives.MultiplyAdd(row, a.Weights[i], sum, sum);
                },
                cancellation
            );
            _raw[k] = TensorPrimitives.Max<double>(rowRaw);
            double mean = Summation.Dot(a.Weights, rowMeans);
            TensorPrimitives.Subtract(_columnMeans[k], mean, _columnMeans[k]);
            // A bound suffices: what is left is no larger than the term and its means.
            _centred[k] =
                _raw[k]
                + Math.Abs(TensorPrimitives.MaxMagnitude<double>(rowMeans))
                + Math.Abs(TensorPrimitives.MaxMagnitude<double>(_columnMeans[k]));
        }
        CheckSizes();
        Gram = ProductGram(threads, cancellation);
    }

    /// <summary>A term that varies by less of its size, once its means are off, is its means and their rounding.</summary>
    const double Rounding = 1e-12;

    public override double[][] Gram { get; }

    public override double Deviation(int term)
    {
        double deviation = Math.Sqrt(Gram[term][term]);
        return deviation > Rounding * _raw[term] ? deviation : 0;
    }

    public override int BasisCount => Count;

    public override int Basis(int term) => term;

    public override double Coefficient(int row, int term) => 1;

    public override ReadOnlySpan<double> BasisRow(int basis, int row, Span<double> scratch)
    {
        Span<double> values = scratch[..B.Count];
        _dictionary.Terms[basis].CostRow(row, values);
        TensorPrimitives.Subtract(values, _columnMeans[basis], values);
        TensorPrimitives.Subtract(values, _rowMeans[basis][row], values);
        return values;
    }

    public override (double Raw, double Centred) Magnitude(int term) => (_raw[term], _centred[term]);

    public override ShiftedCost Cost(ReadOnlySpan<double> theta) =>
        new(new CentredSum(this, theta.ToArray()), new double[A.Count], new double[B.Count]);

    double[][] ProductGram(int threads, CancellationToken cancellation)
    {
        int m = B.Count;
        double[] sums = RowReduction.Sum(
            A.Count,
            Count * Count,
            (Count + 1) * m,
            threads,
            (i, scratch, sum) =>
            {
                if (A.Weights[i] == 0)
                    return;
                Span<double> weighted = scratch.Slice(Count * m, m);
                for (int k = 0; k < Count; k++)
                {
                    BasisRow(k, i, scratch.Slice(k * m, m));
                    TensorPrimitives.Multiply(scratch.Slice(k * m, m), B.Weights, weighted);
                    for (int l = 0; l <= k; l++)
                        sum[(k * Count) + l] += A.Weights[i] * TensorPrimitives.Dot<double>(weighted, scratch.Slice(l * m, m));
                }
            },
            cancellation
        );
        var gram = new double[Count][];
        for (int k = 0; k < Count; k++)
        {
            gram[k] = new double[Count];
            for (int l = 0; l <= k; l++)
                gram[k][l] = gram[l][k] = sums[(k * Count) + l];
        }
        return gram;
    }

    /// <summary><c>Σ_k θ_k c_k</c> with the means taken off.</summary>
    sealed class CentredSum : Geometry
    {
        readonly ListedFeatures _features;
        readonly double[] _theta;
        readonly double[] _rows;
        readonly double[] _columns;

        public CentredSum(ListedFeatures features, double[] theta)
        {
            (_features, _theta) = (features, theta);
            (_rows, _columns) = (new double[features.A.Count], new double[features.B.Count]);
            for (int k = 0; k < theta.Length; k++)
            {
                if (theta[k] == 0)
                    continue;
                TensorPrimitives.MultiplyAdd(features._rowMeans[k], theta[k], _rows, _rows);
                TensorPrimitives.MultiplyAdd(features._columnMeans[k], theta[k], _columns, _columns);
                MagnitudeBound += Math.Abs(theta[k]) * features._centred[k];
            }
        }

        public override int Rows => _rows.Length;

        public override int Columns => _columns.Length;

        public override double MagnitudeBound { get; }

        public override bool HasForbiddenPairs => false;

        public override double Cost(int row, int column)
        {
            double sum = 0;
            for (int k = 0; k < _theta.Length; k++)
                sum += _theta[k] == 0 ? 0 : _theta[k] * _features._dictionary.Terms[k].Cost(row, column);
            return sum - _rows[row] - _columns[column];
        }

        public override void CostRow(int row, Span<double> costs)
        {
            costs = costs[..Columns];
            double[] rented = System.Buffers.ArrayPool<double>.Shared.Rent(Columns);
            Span<double> term = rented.AsSpan(0, Columns);
            costs.Clear();
            try
            {
                for (int k = 0; k < _theta.Length; k++)
                {
                    if (_theta[k] == 0)
                        continue;
                    _features._dictionary.Terms[k].CostRow(row, term);
                    TensorPrimitives.MultiplyAdd(term, _theta[k], costs, costs);
                }
            }
            finally
            {
                System.Buffers.ArrayPool<double>.Shared.Return(rented);
            }
            TensorPrimitives.Subtract(costs, _columns, costs);
            TensorPrimitives.Subtract(costs, _rows[row], costs);
        }
    }
}
