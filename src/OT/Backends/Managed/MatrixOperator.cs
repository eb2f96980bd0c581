using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Stored costs, read once per iteration. Floats are read as floats; doubles bound in float are copied once.</summary>
internal sealed class MatrixOperator<TSimd, TVector, T> : CostRowOperator<TSimd, TVector, T>
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
{
    readonly double[]? _doubles;
    readonly float[]? _singles;

    public MatrixOperator(CostMatrix costs, RowBlocks blocks, string description, CancellationToken cancellation)
        : base(costs, blocks, description, cancellation)
    {
        _doubles = costs.Doubles;
        _singles = costs.Singles;
        if (typeof(T) == typeof(float) && _singles is null)
        {
            _singles = new float[_doubles!.Length];
            TensorPrimitives.ConvertSaturating<double, float>(_doubles, _singles);
            _doubles = null;
        }
    }

    protected override void Exponents(int row, int count, bool exponentiate, Scratch scratch)
    {
        RoundShifts(count, scratch);
        if (_doubles is not null)
            Sweep(_doubles, row, count, exponentiate, scratch);
        else
            Sweep(_singles!, row, count, exponentiate, scratch);
    }

    void Sweep<TStored>(TStored[] costs, int row, int count, bool exponentiate, Scratch scratch)
        where TStored : unmanaged
    {
        ref TStored start = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(costs), (nint)row * Columns);
        for (int tile = 0; tile < Padded; tile += TileColumns)
        {
            int stop = Math.Min(tile + TileColumns, Padded);
            for (int r = 0; r < count; r += 2)
            {
                int other = Math.Min(r + 1, count - 1);
                ref TStored first = ref Unsafe.Add(ref start, (nint)r * Columns);
                ref TStored second = ref Unsafe.Add(ref start, (nint)other * Columns);
                if (exponentiate)
                    Sweep<TStored, Exponential>(ref first, ref second, Columns, r, other, tile, stop, scratch);
                else
                    Sweep<TStored, Raw>(ref first, ref second, Columns, r, other, tile, stop, scratch);
            }
        }
    }
}
